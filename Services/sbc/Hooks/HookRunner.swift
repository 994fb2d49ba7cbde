internal import Glibc
internal import Logging
internal import Synchronization

/// Runs a backup's hooks: the snapshot once, and its release once on whatever way the backup ends.
final class HookRunner: Sendable {
    private enum State {
        case idle
        /// The snapshot is others', or its command was begun: whatever came of it, something may be there.
        case taken
        case released
    }

    private let plan: BackupPlan
    private let environment: [String: String]
    private let logger: Logger
    private let state = Mutex(State.idle)

    /// - Parameters:
    ///   - plan: the hooks, and what they are told of.
    ///   - environment: what they get besides.
    ///   - logger: hears their output.
    init(_ plan: BackupPlan, environment: [String: String], logger: Logger) {
        self.plan = plan
        self.environment = environment
        self.logger = logger
    }

    /// Whether there is a snapshot to take before the disks can be opened.
    var takesSnapshot: Bool { plan.hooks.snapshot != nil }

    /// The backup begins: where others make the snapshot, it is there to be released by now.
    func begin() {
        if !takesSnapshot { state.withLock { $0 = .taken } }
    }

    /// Takes the snapshot, where there is a command for it.
    ///
    /// - Returns: why it failed. nil if it did not, or was stopped with the backup.
    func takeSnapshot(_ cancellation: Cancellation) -> String? {
        guard let command = plan.hooks.snapshot else { return nil }
        state.withLock { $0 = .taken }
        return run(command, "snapshot", outcome: nil) { cancellation.isCancelled }
    }

    /// Releases the snapshot, unless that was done. A stopped backup does not stop it, only its time does.
    ///
    /// - Parameter outcome: what became of the backup: completed, failed or cancelled.
    /// - Returns: why it failed. nil if it did not.
    func release(outcome: String) -> String? {
        guard let command = takeRelease() else { return nil }
        return run(command, "release", outcome: outcome) { false }
    }

    /// Starts the release without waiting for it, unless that was done: the process is about to end.
    ///
    /// - Returns: the command's process, for who lives on. nil if none was started.
    @discardableResult
    func releaseAtOnce() -> pid_t? {
        guard let command = takeRelease() else { return nil }
        return process(command, "release", outcome: "cancelled").startDetached()
    }

    private func takeRelease() -> HookCommand? {
        let isDue = state.withLock { state in
            guard case .taken = state else { return false }
            state = .released
            return true
        }
        return isDue ? plan.hooks.release : nil
    }

    private func process(_ command: HookCommand, _ name: String, outcome: String?) -> HookProcess {
        var variables = environment
        variables["SENDENSE_HOOK"] = name
        variables["SENDENSE_VM"] = plan.identity.vmName
        variables["SENDENSE_JOB_ID"] = plan.identity.jobID
        variables["SENDENSE_BACKUP_TYPE"] = plan.identity.backupType
        variables["SENDENSE_DISK_COUNT"] = "\(plan.disks.count)"
        for (index, disk) in plan.disks.enumerated() {
            variables["SENDENSE_DISK_\(index)_SOURCE"] = disk.source.description
            variables["SENDENSE_DISK_\(index)_TARGET"] = disk.target.description
        }
        variables["SENDENSE_OUTCOME"] = outcome
        return HookProcess(
            command: command,
            environment: variables,
            timeoutMilliseconds: Int64(plan.hooks.timeoutSeconds) * 1000
        )
    }

    private func run(
        _ command: HookCommand,
        _ name: String,
        outcome: String?,
        isStopped: () -> Bool
    ) -> String? {
        var metadata: Logger.Metadata = ["hook": "\(name)", "job_id": "\(plan.identity.jobID)"]
        logger.info("hook started", metadata: metadata)
        var lastLine: String?
        let result = process(command, name, outcome: outcome).run(isStopped: isStopped) { line in
            lastLine = line
            logger.info("hook output", metadata: metadata.merging(["line": "\(line)"]) { $1 })
        }
        guard let words = words(result) else {
            logger.info("hook ended", metadata: metadata)
            return nil
        }
        let reason = "the \(name) command \(words)" + (lastLine.map { ": \($0.prefix(500))" } ?? "")
        metadata["error"] = "\(reason)"
        logger.error("hook failed", metadata: metadata)
        return result == .stopped ? nil : reason
    }

    private func words(_ outcome: HookProcess.Outcome) -> String? {
        switch outcome {
        case .exited(0): nil
        case .exited(let code): "ended with exit status \(code)"
        case .killed(let signal): "was killed by signal \(signal)"
        case .timedOut: "took longer than \(plan.hooks.timeoutSeconds) s"
        case .stopped: "was stopped with the backup"
        case .notStarted(let number): "could not be started: \(systemErrorText(number)) (errno \(number))"
        }
    }
}
