/// What a migrator tells while it is at work.
public enum MigrationEvent: Sendable {
    /// A statement comes next.
    case begins(PlannedStatement)
    /// A statement is done; `way` is the one that the server took, for an ALTER TABLE.
    case ended(PlannedStatement, way: AlterWay?, seconds: Double)
}
