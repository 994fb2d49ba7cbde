public import JobModel

/// A word in a job's row that the rules do not know: no message moves the job as long as it stands there.
public struct ForeignWord: Equatable, Sendable {
    /// The column of `backup_jobs`.
    public let column: String
    /// What it holds. nil is NULL.
    public let value: String?
    /// The words that the rules know.
    public let known: [String]

    /// Where it stands and what it is.
    public var fact: String {
        "\(value.map { "\"\($0)\"" } ?? "NULL") in backup_jobs.\(column)"
    }

    /// What is wrong with the job's row, in a sentence that says what would be right.
    public func sentence(_ id: JobID) -> String {
        """
        The row of job \(id) has \(fact), which is none of the words that count here \
        (\(known.joined(separator: ", "))).
        """
    }

    /// The first word of the row that is foreign, of those that `JobStore.job` reads. nil: none is.
    init?(_ row: Row) throws(DatabaseError) {
        if try BackupType(stored: row.optionalText(2)) == nil {
            self.init(column: "backup_type", value: try row.optionalText(2), BackupType.self)
        } else if try JobStatus(stored: row.optionalText(3)) == nil {
            self.init(column: "status", value: try row.optionalText(3), JobStatus.self)
        } else {
            return nil
        }
    }

    private init<Word: CaseIterable & RawRepresentable<String>>(
        column: String,
        value: String?,
        _: Word.Type
    ) {
        self.column = column
        self.value = value
        known = Word.allCases.map(\.rawValue)
    }
}

extension CaseIterable where Self: RawRepresentable<String> {
    /// The word that a column holds. Letter case and blanks behind it make no difference, as in most of MariaDB's
    /// collations: a hub's statements take the variants for the same word, so its programs may write them.
    init?(stored text: String?) {
        guard let text else { return nil }
        if let word = Self(rawValue: text) {
            self = word
            return
        }
        guard let end = text.lastIndex(where: { $0 != " " }) else { return nil }
        self.init(rawValue: text[...end].lowercased())
    }
}
