extension Migration {
    /// Version 3: signs of life of the way from ingest through writer into the database, so that no job is called
    /// silent while nobody could have heard it.
    static let pathBeats = Migration(
        version: 3,
        name: "beats of the way into the database",
        steps: [.table("path_beats", definition: pathBeatsDefinition)]
    )

    // Times are UTC, by the database's clock. Rows are never deleted: a name's next beat finds its last one.
    private static let pathBeatsDefinition = """
        (
          `ingest` varchar(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
          `writer` varchar(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
          `lane` int NOT NULL,
          `beat_ms` bigint NOT NULL,
          `up_since_ms` bigint NOT NULL,
          `is_off` tinyint(1) NOT NULL DEFAULT 0,
          PRIMARY KEY (`ingest`, `writer`, `lane`)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
        """
}
