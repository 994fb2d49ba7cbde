/// What the command line said, not yet checked against the environment.
struct BackupOptions: Equatable, Sendable {
    var vm = ""
    var jobID: String?
    var disks: [String] = []
    var config: String?
    var type = "full"
    var repositoryID: String?
    var hubColumns: [String] = []
    var changeID: String?
    var hubURL: String?
    var rateLimit: String?
    var noTelemetry = false
    var json = false
    var quiet = false
    var logFile: String?
    var logFormat = "text"
    var attempt: Int64?
    var stateDirectory: String?
    var drainTimeoutSeconds = 30
}
