public import JobModel

/// Why a database refuses a registration, in its client's words: which members are missing or name nothing.
public struct RegistrationRefusal {
    private let connection: Connection

    /// Asks the database behind the connection, outside of any transaction.
    public init(_ connection: Connection) {
        self.connection = connection
    }

    /// The stored id that this database takes for the told one, which only looks different. nil: there is none.
    ///
    /// - Throws: `DatabaseError`.
    public func lookalike(of id: JobID) throws(DatabaseError) -> String? {
        let rows = try connection.prepare("SELECT id FROM backup_jobs WHERE id = ?").query([
            .text(id.rawValue)
        ])
        guard let stored = try rows.first?.text(0), JobID(stored) != id else { return nil }
        return stored
    }

    /// What is wrong with the registration.
    ///
    /// - Parameters:
    ///   - registration: what the client told.
    ///   - error: what the database said to it.
    /// - Returns: a problem for each member at fault; empty where the error blames none.
    /// - Throws: `DatabaseError` where the tables cannot be read.
    public func problems(
        _ registration: Registration,
        _ error: DatabaseError
    ) throws(DatabaseError) -> [Problem] {
        switch error.code {
        case 1048, 1364: try missing(registration)
        case 1216, 1452: Self.missingParent(registration, error)
        default: Self.badValue(registration, error)
        }
    }

    /// The members that the tables demand and the registration lacks.
    private func missing(_ registration: Registration) throws(DatabaseError) -> [Problem] {
        let hub = try HubColumns(connection)
        var problems: [Problem] = []
        func demand(_ pointer: String, _ column: HubColumns.Column, of table: String) {
            problems.append(
                Problem(
                    pointer: pointer,
                    detail: "is missing; this database's \(table) demands it (\(column.type), no default)"
                )
            )
        }
        let job = try connection.prepare("SELECT 1 FROM backup_jobs WHERE id = ?")
            .query([.text(registration.jobID.rawValue)])
        if job.isEmpty {
            let told = Set(hub.jobValues(registration).map(\.name))
            for column in Self.required(hub.ofJobs) where !told.contains(column.name) {
                demand("/\(column.name)", column, of: "backup_jobs")
            }
            if registration.repositoryID == nil, let column = hub.requiredRepository {
                demand("/repository_id", column, of: "backup_jobs")
            }
        }
        let named = Set(problems.map(\.pointer))
        for column in Self.required(hub.ofDisks) where !named.contains("/\(column.name)") {
            let lacking = registration.disks.indices.filter { place in
                let told = hub.diskValues(registration, index: registration.disks[place].index)
                return !told.contains { $0.name == column.name }
            }
            // One member for the job serves all its disks.
            let pointer = lacking.count == 1 && registration.disks.count > 1 ? "/disks/\(lacking[0])" : ""
            if !lacking.isEmpty { demand("\(pointer)/\(column.name)", column, of: "backup_disks") }
        }
        return problems
    }

    private static func required(_ columns: [String: HubColumns.Column]) -> [HubColumns.Column] {
        columns.values.filter(\.isRequired).sorted { $0.name < $1.name }
    }

    /// The server names the columns: `… FOREIGN KEY (`a`) REFERENCES `table` (`b`) …`.
    private static func missingParent(_ registration: Registration, _ error: DatabaseError) -> [Problem] {
        let names = error.message.components(between: "FOREIGN KEY (`", and: "`)")
        let parents = error.message.components(between: "REFERENCES `", and: "`")
        guard let column = names.first, let parent = parents.first else { return [] }
        return [
            Problem(
                pointer: pointer(to: column, registration),
                detail: "names no row of this database's \(parent); make that row first, or name another"
            )
        ]
    }

    /// The server names the column: `… for column 'a' at row 1`, or with the table before it.
    private static func badValue(_ registration: Registration, _ error: DatabaseError) -> [Problem] {
        guard let rest = error.message.components(between: "for column ", and: " at row").first else {
            return []
        }
        let name = rest.split(separator: ".").last?.filter { $0 != "`" && $0 != "'" } ?? ""
        guard !name.isEmpty else { return [] }
        return [Problem(pointer: pointer(to: String(name), registration), detail: error.message)]
    }

    /// The member that told a column's value.
    private static func pointer(to column: String, _ registration: Registration) -> String {
        let place = registration.disks.firstIndex { disk in
            disk.columns.keys.contains { $0.lowercased() == column.lowercased() }
        }
        let isOfJob = registration.columns.keys.contains { $0.lowercased() == column.lowercased() }
        guard let place, !isOfJob else { return "/\(column)" }
        return "/disks/\(place)/\(column)"
    }
}

extension String {
    /// The texts that stand between two marks, in order.
    fileprivate func components(between start: String, and end: String) -> [String] {
        var found: [String] = []
        var rest = self[...]
        while let first = rest.firstRange(of: start) {
            rest = rest[first.upperBound...]
            guard let last = rest.firstRange(of: end) else { break }
            found.append(String(rest[..<last.lowerBound]))
            rest = rest[last.upperBound...]
        }
        return found
    }
}
