/// One request of a backup client, with what a test has to know of it to put it in another place.
public struct ClientRequest: Sendable, Equatable {
    /// What it tells.
    public enum Role: Sendable, Equatable {
        /// Numbers of a disk that is being copied.
        case progress
        /// A status change without numbers, of a job that goes on.
        case noNews
        /// Telemetry that says `completed`.
        case completed
        /// Telemetry that says that the job failed.
        case failed
        /// A call of `/complete`.
        case completion
    }

    /// What it tells.
    public var role: Role
    /// The disk that its client is at.
    public var disk: Int
    /// The path that it is posted to.
    public var path: String
    /// Its JSON.
    public var body: String

    /// A request of these parts.
    public init(_ role: Role, disk: Int, path: String, body: String) {
        self.role = role
        self.disk = disk
        self.path = path
        self.body = body
    }
}
