/// How a scenario comes to its end.
struct Settling {
    /// Seconds that clients may take to end their backups.
    var closingSeconds = 60.0
    /// Seconds that what was kept may take to be stored, once the path is whole.
    var drainSeconds = 30.0
    /// Messages answered 202 may be gone, because the lab damaged the file they were in.
    var mayMissKept = false
    /// The lab made the database refuse messages.
    var mayBeRejected = false
    /// The database's clock is the lab's.
    var hasTrueClock = true
}
