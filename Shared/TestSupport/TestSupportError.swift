/// Why a test's surroundings could not be set up.
public struct TestSupportError: Error, CustomStringConvertible {
    /// What failed, with the end of the log where there is one.
    public let description: String

    package init(_ description: String) {
        self.description = description
    }
}
