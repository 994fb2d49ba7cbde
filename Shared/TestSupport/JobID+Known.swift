public import JobModel

extension JobID {
    /// An id that the test knows to be valid; it traps where that is not so.
    public static func known(_ text: String) -> JobID {
        guard let id = JobID(text) else { preconditionFailure("\(text) is no job id") }
        return id
    }
}
