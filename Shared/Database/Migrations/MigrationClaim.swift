internal import Threading

/// The row that lets one service at a time change the tables: it expires by the database's clock 60 s after it
/// was last renewed.
struct MigrationClaim: Sendable {
    /// Tells runs apart; 100 characters at most.
    let owner: String
    /// How long it holds without being renewed.
    var holdMilliseconds = 60_000
    /// How often it is renewed while a statement runs.
    var renewalMilliseconds = 10_000

    /// Takes the claim, or renews it where it is ours.
    /// - Returns: whether it is ours now.
    func take(_ connection: Connection) throws(DatabaseError) -> Bool {
        // A claim further ahead than any can be set was written before the server's clock stepped back.
        let sql = """
            UPDATE sendense_migration_claim \
            SET owner = ?, expires_at_ms = \(ServerClock.milliseconds) + \(holdMilliseconds) \
            WHERE id = 1 AND (owner IS NULL OR owner = ? OR expires_at_ms <= \(ServerClock.milliseconds) \
            OR expires_at_ms > \(ServerClock.milliseconds) + \(holdMilliseconds))
            """
        return try connection.prepare(sql).execute([.text(owner), .text(owner)]) == 1
    }

    /// Lets go of the claim. What cannot be released expires.
    func release(_ connection: Connection) {
        guard connection.isUsable else { return }
        let sql =
            "UPDATE sendense_migration_claim SET owner = NULL, expires_at_ms = 0 WHERE id = 1 AND owner = ?"
        _ = try? connection.prepare(sql).execute([.text(owner)])
    }

    /// Who holds it.
    func holder(_ connection: Connection) throws(DatabaseError) -> String {
        let rows = try connection.query("SELECT owner FROM sendense_migration_claim WHERE id = 1")
        return try rows.first?.optionalText(0) ?? "another service"
    }

    /// Renews the claim from a session of its own while `body` runs: a statement may take longer than the
    /// claim holds.
    func kept<Result, Failure>(
        _ settings: DatabaseSettings,
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let stop = Latch()
        let thread = DedicatedThread(name: "claim") { [self] in
            DatabaseLibrary.withThread {
                while !stop.wait(milliseconds: renewalMilliseconds) { renew(settings) }
            }
        }
        defer {
            stop.open()
            thread.join()
        }
        return try body()
    }

    /// What cannot be renewed now is tried again; before the next statement the claim is taken anew.
    private func renew(_ settings: DatabaseSettings) {
        let sql = """
            UPDATE sendense_migration_claim \
            SET expires_at_ms = \(ServerClock.milliseconds) + \(holdMilliseconds) \
            WHERE id = 1 AND owner = ?
            """
        _ = try? Connection.open(settings).prepare(sql).execute([.text(owner)])
    }
}
