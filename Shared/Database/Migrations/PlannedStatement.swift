/// One statement of a migration, with its cost.
public struct PlannedStatement: Sendable, Equatable {
    /// What there is to do beside running it.
    enum Action: Sendable, Equatable {
        /// Nothing: it is run as it is.
        case plain
        /// Nothing; it only keeps the books of what was done.
        case books
        /// It alters a table, in the first of these ways that the server and the table's size allow.
        case alter(String, [AlterWay])
        /// It drops a table that we created.
        case drop(String)
        /// It writes down what the next statement adds.
        case note([MigrationNote])
    }

    /// The statement without the clause that holds the server to a way.
    let base: String
    let action: Action
    /// The way that the server is expected to take. nil: it alters no table.
    public let way: AlterWay?
    /// What it costs.
    public let cost: StatementCost

    init(_ base: String, _ action: Action = .plain, way: AlterWay? = nil, cost: StatementCost) {
        self.base = base
        self.action = action
        self.way = way
        self.cost = cost
    }

    /// The statement whole.
    public var sql: String { sql(way) }

    /// Whether it only keeps the books: the tables and rows in which we note what was done.
    public var isBookkeeping: Bool {
        switch action {
        case .books, .note: true
        case .plain, .alter, .drop: false
        }
    }

    /// The statement, held to another way.
    func sql(_ way: AlterWay?) -> String {
        guard let way else { return base }
        return "\(base),\n  \(way.clause)"
    }
}
