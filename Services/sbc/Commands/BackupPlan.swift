internal import FoundationEssentials
internal import Glibc
internal import Logs

/// A backup, checked: what `--vm`, `--disk`, the environment and the inventory come to.
struct BackupPlan: Sendable {
    /// As the hub: more disks, longer ids and names it does not take.
    static let diskCountMax = 256
    static let jobIDScalarCountMax = 64
    static let vmNameScalarCountMax = 255
    static let defaultInventory = "/etc/sendense/sbc.yaml"
    static let defaultLogFile = "/var/log/sendense-backup-client.log"
    static let defaultStateDirectory = "/var/lib/sendense-backup-client"

    var identity: JobIdentity
    var disks: [DiskArgument]
    /// What an incremental backup copies, by disk. nil: all is copied.
    var changes: [ChangeSource]?
    var settings: CopySettings
    var hooks: SnapshotHooks
    /// The change id of every disk, where one was given.
    var changeID: String?
    var hub: HubAccess
    var rate: ByteRate?
    var isTelemetryOn: Bool
    var isJSON: Bool
    var isQuiet: Bool
    var logFile: String?
    var isLogFileAsked: Bool
    var logFormat: LogFormat
    var attempt: Int64?
    var stateDirectory: String
    var drainMilliseconds: Int64
    var reportIntervalMilliseconds: Int64

    /// Checks options against the environment.
    ///
    /// - Parameters:
    ///   - options: what the command line said.
    ///   - environment: the process's variables.
    ///   - nowMilliseconds: milliseconds since 1970 UTC.
    /// - Throws: `UsageError` naming the option and the remedy.
    init(
        _ options: BackupOptions,
        environment: [String: String],
        nowMilliseconds: Int64
    ) throws(UsageError) {
        let set = environment.filter { !$0.value.isEmpty }
        guard !options.vm.isEmpty, options.vm.unicodeScalars.count <= Self.vmNameScalarCountMax else {
            throw UsageError(
                "--vm: must have 1 to \(Self.vmNameScalarCountMax) characters; give the VM's name"
            )
        }
        try UsageError.checkStyle(json: options.json, quiet: options.quiet)
        let inventory = try InventoryFile.load(options.config, set)
        let machine = inventory?.inventory.machine(options.vm)
        let type = try Self.type(options)
        identity = JobIdentity(
            jobID: try Self.jobID(options, set, nowMilliseconds: nowMilliseconds),
            vmName: options.vm,
            backupType: type,
            repositoryID: options.repositoryID ?? machine?.repositoryID,
            hubColumns: try Self.hubColumns(options.hubColumns)
        )
        disks = try BackupPlan.disks(options, inventory)
        changes = type == "incremental" ? try Self.changes(options, diskCount: disks.count) : nil
        settings = try Self.settings(options, machine?.limits, disks)
        hooks = try Self.hooks(options, machine)
        changeID = options.changeID
        hub = try HubAccess(
            url: options.hubURL,
            tokenFile: options.hubTokenFile,
            caFile: options.hubCAFile,
            set,
            fallback: inventory?.inventory.hub
        )
        rate = machine?.limits.rate
        if let text = options.rateLimit {
            guard let parsed = ByteRate(text) else {
                throw UsageError("--rate-limit: '\(text)' is no rate; write bytes per second, like 50M")
            }
            rate = parsed
        }
        guard let format = LogFormat(rawValue: options.logFormat) else {
            throw UsageError("--log-format: '\(options.logFormat)' is not known; write text or json")
        }
        logFormat = format
        if let attempt = options.attempt, attempt < 1 || attempt > Int64(Int32.max) {
            throw UsageError("--attempt: \(attempt) is out of range; attempts count from 1")
        }
        attempt = options.attempt
        guard (0...3600).contains(options.drainTimeoutSeconds) else {
            throw UsageError("--drain-timeout: must be 0 to 3600 seconds")
        }
        drainMilliseconds = Int64(options.drainTimeoutSeconds) * 1000
        isTelemetryOn = !options.noTelemetry
        isJSON = options.json
        isQuiet = options.quiet
        let askedLogFile = options.logFile ?? set["SENDENSE_SBC_LOG"]
        isLogFileAsked = askedLogFile != nil
        logFile = askedLogFile ?? Self.defaultLogFile
        stateDirectory = options.stateDirectory ?? set["SENDENSE_SBC_STATE_DIR"] ?? Self.stateDirectory(set)
        reportIntervalMilliseconds = try Self.reportInterval(set)
    }

    private static func hubColumns(_ texts: [String]) throws(UsageError) -> [HubColumn] {
        var columns: [HubColumn] = []
        for text in texts {
            guard let column = HubColumn(text) else {
                throw UsageError(
                    "--hub-column: '\(text)' is not NAME=VALUE with the name of a column that has no option of "
                        + "its own; write for example vm_context_id=ctx-1"
                )
            }
            guard !columns.contains(where: { $0.name.lowercased() == column.name.lowercased() }) else {
                throw UsageError("--hub-column: \(column.name) is given twice; give it once")
            }
            columns.append(column)
        }
        return columns
    }

    private static func jobID(
        _ options: BackupOptions,
        _ set: [String: String],
        nowMilliseconds: Int64
    ) throws(UsageError) -> String {
        let given = options.jobID ?? set["MIGRATEKIT_JOB_ID"]
        let jobID = given ?? "backup-\(options.vm)-\(nowMilliseconds / 1000)"
        let scalars = jobID.unicodeScalars
        guard let first = scalars.first, let last = scalars.last, scalars.count <= jobIDScalarCountMax,
            !first.properties.isWhitespace, !last.properties.isWhitespace,
            !scalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
        else {
            throw UsageError(
                "--job-id: '\(jobID)' must have 1 to \(jobIDScalarCountMax) characters, no control "
                    + "characters and no space at either end"
                    + (given == nil ? "; give one with --job-id" : "")
            )
        }
        // They are a segment of paths, which whoever handles a URL may take for the folder itself or the one above.
        guard jobID != ".", jobID != ".." else {
            throw UsageError("--job-id: '\(jobID)' means a folder in a path; give another")
        }
        return jobID
    }

    private static func reportInterval(_ set: [String: String]) throws(UsageError) -> Int64 {
        guard let text = set["SENDENSE_SBC_REPORT_INTERVAL_MS"] else { return 5000 }
        guard let value = Int64(text), (50...30_000).contains(value) else {
            throw UsageError("SENDENSE_SBC_REPORT_INTERVAL_MS: '\(text)' must be 50 to 30000 milliseconds")
        }
        return value
    }

    /// The system's directory where it can be used, else the user's own.
    static func stateDirectory(_ set: [String: String]) -> String {
        guard geteuid() != 0, unsafe access(defaultStateDirectory, W_OK) != 0 else {
            return defaultStateDirectory
        }
        guard let home = set["HOME"] else { return defaultStateDirectory }
        return "\(home)/.local/state/sendense-backup-client"
    }
}
