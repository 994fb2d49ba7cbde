/// What the command line said, not yet checked against the environment.
struct BackupOptions: Equatable, Sendable {
    var vm = ""
    var jobID: String?
    var disks: [String] = []
    var nbdTargets: String?
    var config: String?
    var type: String?
    var isIncremental = false
    var bitmap: String?
    var changedBlocks: [String] = []
    var repositoryID: String?
    var hubColumns: [String] = []
    var changeID: String?
    var hubURL: String?
    var hubTokenFile: String?
    var hubCAFile: String?
    var rateLimit: String?
    var isDirect = false
    var isForcing = false
    var isVerifying = false
    var connections: Int?
    var requests: Int?
    var requestSize: String?
    var flushEvery: String?
    var reconnectTimeoutSeconds = 60
    var snapshotCommand: String?
    var releaseCommand: String?
    var hookTimeoutSeconds: Int?
    var noTelemetry = false
    var json = false
    var quiet = false
    var logFile: String?
    var logFormat = "text"
    var attempt: Int64?
    var stateDirectory: String?
    var drainTimeoutSeconds = 30
}
