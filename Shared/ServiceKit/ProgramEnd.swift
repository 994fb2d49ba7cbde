/// A program's end with an exit status of its own.
public struct ProgramEnd: Error, CustomStringConvertible {
    /// The exit status; 0, 1 and 2 have their meanings already.
    public let status: Int32
    /// What the user is told on standard error.
    public let description: String

    /// Declares an end.
    public init(status: Int32, _ description: String) {
        self.status = status
        self.description = description
    }
}
