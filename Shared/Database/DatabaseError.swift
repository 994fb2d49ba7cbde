/// What went wrong at the database: the number that the server or the client library gave, and where.
public struct DatabaseError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What a caller can do about an error.
    public enum Kind: Sendable, CaseIterable {
        /// The connection is gone or was never there, or the server takes no work now: reopen, later.
        case connectionLost
        /// The transaction was lost to another one: roll back and repeat it.
        case retry
        /// The server takes no writes now.
        case readOnly
        /// The server's disk or table space is full.
        case outOfSpace
        /// The user, the password or the grants are not enough, or there is no such database.
        case accessDenied
        /// A row with this key is there already.
        case duplicateKey
        /// A foreign key names a row that is not there.
        case missingParent
        /// A column that has no default was given no value.
        case missingColumn
        /// The data itself was refused: out of range, too long, against a constraint or a trigger.
        case refused
        /// The tables are not what this program expects, or a cell is not of the type asked for.
        case schemaMismatch
        /// Anything else: the server's trouble, not the data's.
        case serverTrouble
    }

    /// The errno of the server (1000 and up) or of the client library (2000 and up). 0: a cell was not what
    /// the caller asked for.
    public var code: UInt32
    /// The SQLSTATE, five characters.
    public var sqlState: String
    /// The server's or the library's words.
    public var message: String
    /// The statement or the call that failed; never values.
    public var operation: String

    /// Creates an error from its parts.
    public init(code: UInt32, sqlState: String, message: String, operation: String) {
        self.code = code
        self.sqlState = sqlState
        self.message = message
        self.operation = operation
    }

    /// What a caller can do about it.
    public var kind: Kind {
        if code == 0 { return .schemaMismatch }
        if Self.spaceCodes.contains(code) { return .outOfSpace }
        if Self.maybeSpaceCodes.contains(code), blamesFullDisk { return .outOfSpace }
        if let kind = Self.kinds[code] { return kind }
        switch sqlState.prefix(2) {
        case "08": return .connectionLost
        case "40": return .retry
        case "21", "22", "23", "45": return .refused
        case "42": return .schemaMismatch
        default: return .serverTrouble
        }
    }

    /// The error in a line: what failed, the number, the words, and what to do where that is known.
    public var description: String {
        let fact = "\(operation) failed: \(message) (errno \(code), SQLSTATE \(sqlState))"
        guard let remedy else { return fact }
        return "\(fact). \(remedy)"
    }

    /// What the operator can do about it. nil where only the statement's author can.
    public var remedy: String? {
        switch code {
        case 2002, 2003, 2005: "Check that MariaDB is running and that the socket, host and port are right."
        case 2026: "Check the TLS settings and certificates of both sides."
        case 1040, 1203, 1226: "Raise max_connections or the user's limit, or run fewer services."
        case 1049: "Create the database or correct the configured name."
        case 1045, 1698: "Check the configured user and password."
        case 1044, 1142, 1143, 1227, 1370: "Grant the user the rights that it lacks on this database."
        case 1130: "Let the user log in from this host (CREATE USER 'user'@'host')."
        default: remedyByKind
        }
    }

    private var remedyByKind: String? {
        switch kind {
        case .outOfSpace: "Free space on the database server's disk."
        case .readOnly: "Point the service at the primary, or switch read_only off."
        case .schemaMismatch: code == 0 ? nil : "Run the migrations of this version, then check the tables."
        default: nil
        }
    }

    private var blamesFullDisk: Bool {
        message.contains("error 28") || message.contains("rrno: 28") || message.contains("o space left")
    }

    /// Disk full, table full.
    private static let spaceCodes: Set<UInt32> = [20, 1021, 1114]

    /// Errors of files, engines and commits that carry the operating system's errno in their words.
    private static let maybeSpaceCodes: Set<UInt32> = [3, 1004, 1005, 1023, 1026, 1030, 1180]

    private static let kinds: [UInt32: Kind] = {
        let codes: [Kind: [UInt32]] = [
            // 2xxx from the client library; then shutdown, kill, limits of connections, broken packets;
            // 1047 is a Galera node without its cluster; 2014 leaves a connection that is of no more use.
            .connectionLost: [
                2001, 2002, 2003, 2004, 2005, 2006, 2009, 2012, 2013, 2014, 2026, 2027, 2048, 2055,
                1040, 1047, 1053, 1077, 1079, 1080, 1129, 1152, 1156, 1157, 1158, 1159, 1160, 1161, 1184,
                1203,
                1226, 1927, 3169, 4031,
            ],
            // Deadlock, lock wait, record changed, too many transactions, definition changed, interrupted.
            .retry: [1020, 1205, 1213, 1317, 1412, 1614, 1615, 1637, 1689, 1969],
            .readOnly: [1290, 1792, 1836, 1874],
            .accessDenied: [1044, 1045, 1049, 1130, 1142, 1143, 1227, 1370, 1698, 2049, 2058, 2059, 2061],
            .duplicateKey: [1022, 1062, 1586],
            .missingParent: [1216, 1452],
            .missingColumn: [1364],
            // Data errors whose SQLSTATE does not say so; a packet or a transaction too large gets through
            // in halves; collations that cannot be mixed and characters that cannot be converted.
            .refused: [1118, 1153, 1162, 1197, 1265, 1267, 1366, 1390, 1713, 1977],
        ]
        return Dictionary(
            codes.flatMap { kind, codes in codes.map { ($0, kind) } },
            uniquingKeysWith: { first, _ in first }
        )
    }()
}
