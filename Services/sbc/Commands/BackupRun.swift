internal import FoundationEssentials
internal import Glibc
internal import Logging
internal import Threading

/// One backup from its first to its last step. Runs on the main thread and blocks; the copy, the reporter
/// and the signals have threads of their own.
struct BackupRun {
    /// How long the copy waits for the hub's first word: time enough for a refusal, too short to matter.
    static let registrationWaitMilliseconds = 2000
    static let tickMilliseconds = 100

    let plan: BackupPlan
    let logger: Logger
    let cancellation = Cancellation()
    let hooks: HookRunner
    /// What signals do.
    let stop: RunStop

    init(plan: BackupPlan, logger: Logger) {
        self.plan = plan
        self.logger = logger
        hooks = HookRunner(plan, environment: ProcessInfo.processInfo.environment, logger: logger)
        stop = RunStop(cancellation: cancellation, hooks: hooks)
    }

    /// Runs it.
    ///
    /// - Returns: the process's exit code.
    func run() -> Int32 {
        let store = AttemptStore(directory: plan.stateDirectory, jobID: plan.identity.jobID)
        let lock: Descriptor?
        do throws(StateError) {
            try store.makeDirectory()
            AttemptStore.tidy(plan.stateDirectory, nowSeconds: Int(WallClock.nowMilliseconds / 1000))
            lock = try store.lock()
            guard lock != nil else {
                complain(
                    "another run of job \(plan.identity.jobID) is under way; wait for it, or use another "
                        + "--job-id"
                )
                return ExitStatus.usage
            }
        } catch {
            lock = nil
            warn("the state cannot be kept, attempts may be counted wrong", error)
        }
        defer { withExtendedLifetime(lock) {} }
        let startedAt = MonotonicClock.nowMilliseconds
        hooks.begin()
        // A snapshot comes before the disks: then their sizes are known only later.
        var opened = hooks.takesSnapshot ? nil : openDisks()
        let counters = JobCounters(totals: opened?.totals ?? plan.disks.map { _ in nil })
        let reporter = startReporter(store, counters)
        var view = ProgressView(mode: ProgressView.Mode(plan), jobID: plan.identity.jobID)
        view.started(plan, attempt: reporter?.attempt, totals: counters.disks.map(\.total))
        logger.info(
            "backup started",
            metadata: ["job_id": "\(plan.identity.jobID)", "disks": "\(plan.disks.count)"]
        )

        reporter?.reporter.post(.phase)
        if opened?.error == nil {
            reporter?.reporter.waitForRegistration(milliseconds: Self.registrationWaitMilliseconds)
        }
        opened = snapshot(opened, counters, reporter?.reporter)
        // A server that was not waited for because of a signal is no failure.
        if let error = opened?.error, cancellation.cancel(.failed(error)) {
            counters.disks[error.diskIndex].set(.failed)
            reporter?.reporter.post(.failed(error.description))
        }
        // Once this has returned, a signal or a word of the hub cannot change what became of the copy.
        let copyStartedAt = MonotonicClock.nowMilliseconds
        let (reason, releaseFailure) = transfer(opened?.disks ?? [], counters, reporter?.reporter, &view)
        let endedAt = MonotonicClock.nowMilliseconds
        view.update(counters.progress, nowMilliseconds: endedAt)
        let reports = reporter.map { deliver($0.reporter) }
        let result = RunResult(
            jobID: plan.identity.jobID,
            reports: reports,
            progress: counters.progress,
            targets: plan.disks.map(\.target.description),
            milliseconds: endedAt - startedAt,
            copyMilliseconds: endedAt - copyStartedAt,
            peakRate: view.peakRate,
            reason: reason ?? reports?.refusal.map { .refusedByHub($0) },
            releaseFailure: releaseFailure
        )
        view.finished(result)
        return conclude(result)
    }

    /// Delivers what is left to report, and says so where it takes a while.
    private func deliver(_ reporter: Reporter) -> ReportSummary {
        stop.delivers { reporter.cut() }
        return reporter.finish(drainMilliseconds: plan.drainMilliseconds) {
            guard !plan.isQuiet else { return }
            complain(
                "notice: the copy has ended, and the hub at \(plan.hub.shownURL) does not have all reports yet; they are "
                    + "tried for up to \(plan.drainMilliseconds / 1000) s, Ctrl-C ends that and keeps them"
            )
        }
    }

    /// The disks as far as they could be opened.
    private struct Opened {
        var disks: [PreparedDisk]
        /// The first that could not.
        var error: CopyError?
        /// Bytes to deal with. nil where unknown.
        var totals: [Int64?]
    }

    /// Takes the snapshot, unless the run was stopped before, and opens what is not open yet.
    private func snapshot(_ opened: Opened?, _ counters: JobCounters, _ reporter: Reporter?) -> Opened? {
        guard !cancellation.isCancelled, opened?.error == nil else { return opened }
        if let reason = hooks.takeSnapshot(cancellation), cancellation.cancel(.snapshotFailed(reason)) {
            reporter?.post(.failed(reason))
        }
        guard opened == nil, !cancellation.isCancelled else { return opened }
        let opened = openDisks()
        for (disk, total) in zip(counters.disks, opened.totals) {
            if let total { disk.setTotal(total) }
        }
        return opened
    }

    /// Opens every disk, so that the sizes of all that can be opened are known even where one cannot.
    private func openDisks() -> Opened {
        var disks: [PreparedDisk] = []
        var totals: [Int64?] = []
        var firstError: CopyError?
        let deadline = MonotonicClock.nowMilliseconds + plan.settings.retry.reconnectMillisecondsMax
        for (index, disk) in plan.disks.enumerated() {
            do throws(CopyError) {
                let opened = try openDisk(index, disk, untilMilliseconds: deadline)
                disks.append(opened)
                totals.append(opened.total)
            } catch {
                firstError = firstError ?? error
                totals.append(nil)
            }
        }
        if firstError == nil {
            do throws(CopyError) {
                try PreparedDisk.check(disks)
                try lockTargets(&disks)
                try checkMarks(disks)
            } catch {
                firstError = error
            }
        }
        return Opened(disks: disks, error: firstError, totals: totals)
    }

    /// Opens a disk. A server that is not there is waited for as one that is lost later; all disks share the time.
    private func openDisk(
        _ index: Int,
        _ disk: DiskArgument,
        untilMilliseconds deadline: Int64
    ) throws(CopyError) -> PreparedDisk {
        let rule = plan.settings.retry
        var failureCount = 0
        while true {
            do throws(CopyError) {
                return try PreparedDisk.open(
                    index: index,
                    source: disk.source,
                    target: disk.target,
                    changes: plan.changes?[index],
                    isDirect: plan.settings.isDirect,
                    isStopped: { cancellation.isCancelled }
                )
            } catch {
                failureCount += 1
                let wait = rule.waitMilliseconds(afterFailures: failureCount)
                guard error.isServerAway, MonotonicClock.nowMilliseconds + wait < deadline else {
                    throw error
                }
                if failureCount == 1 {
                    logger.warning("a server is waited for", metadata: ["reason": "\(error)"])
                }
                guard cancellation.sleep(milliseconds: Int(wait)) else { throw error }
            }
        }
    }

    private func lockTargets(_ disks: inout [PreparedDisk]) throws(CopyError) {
        for index in disks.indices {
            let refusal: CopyError?
            do throws(StateError) {
                refusal = try disks[index].lockTarget(
                    directory: plan.stateDirectory,
                    jobID: plan.identity.jobID
                )
            } catch {
                warn("the target cannot be locked, another run might write it too", error)
                continue
            }
            if let refusal { throw refusal }
        }
    }

    /// An incremental copy onto what a full one left incomplete would be no copy of the source.
    private func checkMarks(_ disks: [PreparedDisk]) throws(CopyError) {
        for disk in disks where disk.changes != nil {
            guard let refusal = mark(of: disk.index).refusal(of: disk.target.name) else { continue }
            throw CopyError(diskIndex: disk.index, reason: refusal)
        }
    }

    private func mark(of index: Int) -> TargetMark {
        TargetMark(plan.disks[index].target, directory: plan.stateDirectory)
    }

    /// A full copy is about to change its target.
    private func setMark(of disk: PreparedDisk) {
        guard disk.changes == nil else { return }
        do throws(StateError) {
            try mark(of: disk.index).set(jobID: plan.identity.jobID)
        } catch {
            warn("the target cannot be marked as incomplete, for a later incremental backup to refuse", error)
        }
    }

    /// Full copies are complete, and their targets have lasting names.
    private func clearMark(of index: Int) {
        guard plan.changes == nil else { return }
        do throws(StateError) {
            try mark(of: index).clear()
        } catch {
            warn("the target stays marked as incomplete, and an incremental backup will refuse it", error)
        }
    }

    private func startReporter(
        _ store: AttemptStore,
        _ counters: JobCounters
    ) -> (reporter: Reporter, attempt: Int64)? {
        guard plan.isTelemetryOn else { return nil }
        let attempt = plan.attempt ?? store.nextAttempt
        let logger = logger
        let save: @Sendable (Int64, Int64) -> Void = { attempt, lastSeq in
            do throws(StateError) {
                try store.save(AttemptRecord(attempt: attempt, lastSeq: lastSeq))
            } catch {
                logger.warning("the state cannot be kept", metadata: ["error": "\(error)"])
            }
        }
        // Before the first word to the hub: a run that dies at once has used this attempt.
        save(attempt, 0)
        let reporter = Reporter(
            writer: MessageWriter(identity: plan.identity, totals: counters.disks.map(\.total)),
            counters: counters,
            settings: Reporter.Settings(
                hub: plan.hub,
                stateDirectory: plan.stateDirectory,
                intervalMilliseconds: plan.reportIntervalMilliseconds
            ),
            attempt: attempt,
            cancellation: cancellation,
            logger: logger,
            saveState: save
        )
        reporter.start()
        return (reporter, attempt)
    }

    /// Copies all disks, unless the run was stopped before, and tells of it.
    ///
    /// - Returns: why it stopped, nil if the copy is good; and why the snapshot could not be released.
    private func transfer(
        _ disks: [PreparedDisk],
        _ counters: JobCounters,
        _ reporter: Reporter?,
        _ view: inout ProgressView
    ) -> (stop: StopReason?, releaseFailure: String?) {
        let limit = plan.rate.map { RateLimit(bytesPerSecond: $0.bytesPerSecond) }
        let engine = CopyEngine(
            disks: disks,
            counters: counters,
            settings: plan.settings,
            limit: limit,
            cancellation: cancellation,
            onNotice: { [logger] text in logger.warning("\(text)") },
            onDiskBegins: { setMark(of: $0) },
            onDiskCompleted: { _ in reporter?.post(.diskCompleted) },
            onFailure: { reporter?.post(.failed($0.description)) }
        )
        if !cancellation.isCancelled {
            counters.phase = .transferring
            reporter?.post(.phase)
            engine.start()
            var isStopTold = false
            while !engine.wait(milliseconds: Self.tickMilliseconds) {
                view.update(counters.progress, nowMilliseconds: MonotonicClock.nowMilliseconds)
                if cancellation.isCancelled && !isStopTold {
                    isStopTold = true
                    tellStop(reporter)
                }
            }
        }
        if let reason = cancellation.reason {
            tellStop(reporter)
            if case .failed = reason { tellCompletedDisks(engine, counters, reporter) }
            return (reason, hooks.release(outcome: reason.outcome))
        }
        counters.phase = .finalizing
        reporter?.post(.phase)
        do throws(CopyError) {
            try engine.syncDirectories()
        } catch {
            counters.disks[error.diskIndex].set(.failed)
            cancellation.cancel(.failed(error))
            reporter?.post(.failed(error.description))
            return (.failed(error), hooks.release(outcome: "failed"))
        }
        for index in counters.disks.indices { clearMark(of: index) }
        let releaseFailure = hooks.release(outcome: "completed")
        tellCompletion(counters, reporter, releaseFailure)
        return (nil, releaseFailure)
    }

    /// Tells the end. Where the snapshot stays behind, the job fails with the cause, and its disks are complete
    /// nevertheless: the hub records their change ids.
    private func tellCompletion(_ counters: JobCounters, _ reporter: Reporter?, _ releaseFailure: String?) {
        if let releaseFailure {
            reporter?.post(.failed(RunResult.explanation(releaseFailure: releaseFailure)))
        }
        tellDisks(counters, reporter) { _ in true }
        guard releaseFailure == nil else { return }
        counters.phase = .completed
        reporter?.post(.completed)
    }

    /// A disk that was done before another failed stays done: the job ends failed, and the hub keeps the disk's
    /// change id, from which the next backup of it can go on.
    private func tellCompletedDisks(_ engine: CopyEngine, _ counters: JobCounters, _ reporter: Reporter?) {
        let isCompleted = { (index: Int) in counters.disks[index].progress.state == .completed }
        for index in counters.disks.indices where isCompleted(index) {
            do throws(CopyError) {
                try engine.syncDirectories { $0 == index }
                clearMark(of: index)
                tellDisks(counters, reporter) { $0 == index }
            } catch {
                // Not told: after a power cut the target might have no name.
                counters.disks[index].set(.failed)
                logger.warning("a completed disk is not told", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Tells the completion of disks, with their change ids.
    private func tellDisks(_ counters: JobCounters, _ reporter: Reporter?, where isMeant: (Int) -> Bool) {
        let now = WallClock.nowMilliseconds
        for (index, disk) in counters.disks.enumerated() where isMeant(index) {
            let changeID = plan.changeID ?? "sbc-\(plan.identity.jobID)-\(index)-\(now)"
            reporter?.post(.completion(diskIndex: index, changeID: changeID, bytes: disk.progress.dealt))
        }
    }

    /// Tells why the copy stopped; told twice, the second is not heard. A failure was told where it happened.
    private func tellStop(_ reporter: Reporter?) {
        switch cancellation.reason {
        case .signal, .cancelledByHub: reporter?.post(.cancelled)
        case .failed, .snapshotFailed, .refusedByHub, nil: break
        }
    }

    private func conclude(_ result: RunResult) -> Int32 {
        let metadata: Logger.Metadata = [
            "job_id": "\(result.jobID)", "outcome": "\(result.outcome)",
            "bytes": "\(result.progress.dealt)", "moved": "\(result.progress.moved)",
            "duration_ms": "\(result.milliseconds)",
        ]
        logger.info("backup ended", metadata: metadata)
        for notice in result.notices(hub: plan.hub.shownURL) { complain(notice) }
        if let explanation = result.explanation {
            logger.error("backup did not complete", metadata: ["error": "\(explanation)"])
            complain("error: \(explanation)")
        }
        switch result.reason {
        case nil: return result.releaseFailure == nil ? ExitStatus.success : ExitStatus.notReleased
        case .failed, .snapshotFailed: return ExitStatus.copyFailed
        case .cancelledByHub, .refusedByHub: return ExitStatus.refused
        case .signal(let number): return ExitStatus.signal(number)
        }
    }

    private func complain(_ text: String) {
        Output.complain(text)
    }

    /// What makes a backup less safe and does not end it: for the log, and for who looks on.
    private func warn(_ words: String, _ error: StateError) {
        logger.warning("\(words)", metadata: ["error": "\(error)"])
        complain("warning: \(words): \(error)")
    }
}
