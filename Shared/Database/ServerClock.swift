/// The database server's clock, in SQL.
public enum ServerClock {
    /// An expression: milliseconds since 1970 UTC, fixed for the statement.
    ///
    /// Not UNIX_TIMESTAMP(NOW(3)): that goes through the server's local time, which has one hour twice a year.
    public static let milliseconds =
        "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000)"

    /// A statement: one row with it.
    public static let query = "SELECT \(milliseconds)"
}
