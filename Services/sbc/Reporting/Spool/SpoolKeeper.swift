internal import Logging

/// Keeps what a running job has not delivered yet in the spool: once the hub fails, and at the job's end. So
/// that whatever happens to this process, the hub will hear of it. Belongs to the reporter's thread.
struct SpoolKeeper {
    private let spool: Spool?
    private let writer: MessageWriter
    private let logger: Logger
    private var claim: Spool.Claim?
    /// How many transitions there were when the file was written. nil: there is no file.
    private var keptTransitionCount: Int?
    private var hasFailed = false
    private var refusals: [SpooledReport.Refusal] = []

    /// - Parameters:
    ///   - spool: nil: nothing is kept.
    ///   - writer: has the job's identity and sizes.
    ///   - logger: hears what cannot be kept.
    init(_ spool: Spool?, writer: MessageWriter, logger: Logger) {
        self.spool = spool
        self.writer = writer
        self.logger = logger
    }

    /// Writes the file where there is something new to keep, and removes it where all is delivered. Progress
    /// alone is no reason to write: what follows says all that it says.
    mutating func keep(_ desk: ReportDesk) {
        if desk.delivery.count == 0 {
            drop()
        } else if desk.hasEnded || desk.delivery.isInTrouble,
            keptTransitionCount != desk.delivery.transitionCount
        {
            write(desk)
        }
    }

    /// The hub will never take a message. A refused registration alone is no loss, and nor is progress.
    mutating func refused(_ message: Outgoing, _ reason: String) {
        guard message.content != .registration, !message.isProgress else { return }
        refusals.append(SpooledReport.Refusal(message: message, reason: reason))
    }

    /// Puts aside what the hub has refused, once all else is delivered; else it is with what is spooled.
    ///
    /// - Returns: the messages that were refused, and where they are. nil: nowhere.
    func setAside(_ desk: ReportDesk) -> (count: Int, folder: String?) {
        guard let spool, !refusals.isEmpty else { return (refusals.count, nil) }
        guard desk.delivery.count == 0 else { return (refusals.count, hasFailed ? nil : spool.directory) }
        do throws(StateError) {
            try spool.putAside(report(desk))
            return (refusals.count, spool.refusedDirectory)
        } catch {
            logger.error("what the hub refused cannot be set aside", metadata: ["error": "\(error)"])
            return (refusals.count, nil)
        }
    }

    /// Writes what is left once nothing more is sent.
    ///
    /// - Returns: the messages that are kept; those that could not be are lost.
    mutating func close(_ desk: ReportDesk) -> Int {
        guard desk.delivery.count > 0 else {
            drop()
            return 0
        }
        write(desk)
        // From here on whoever delivers spools may have it: this thread may end later than that is seen.
        defer { claim = nil }
        return claim == nil || hasFailed ? 0 : desk.delivery.count
    }

    private mutating func write(_ desk: ReportDesk) {
        guard let spool else { return }
        let report = report(desk)
        keptTransitionCount = desk.delivery.transitionCount
        do throws(StateError) {
            if let claim {
                self.claim = try spool.rewrite(claim, with: report)
            } else {
                claim = try spool.write(report)
            }
            hasFailed = false
        } catch {
            if !hasFailed { logger.error("the report cannot be spooled", metadata: ["error": "\(error)"]) }
            hasFailed = true
        }
    }

    private func report(_ desk: ReportDesk) -> SpooledReport {
        SpooledReport(
            identity: writer.identity,
            totals: writer.totals,
            attempt: desk.delivery.attempt,
            seqSentMax: desk.delivery.seqSentMax,
            startedAtMilliseconds: desk.startedAtMilliseconds,
            endedAtMilliseconds: desk.endedAtMilliseconds,
            messages: desk.delivery.messages,
            refusals: refusals
        )
    }

    private mutating func drop() {
        guard let spool, let claim else { return }
        do throws(StateError) {
            try spool.remove(claim)
        } catch {
            // It will be sent once more, which changes nothing.
            logger.warning("a delivered report stays in the spool", metadata: ["error": "\(error)"])
        }
        self.claim = nil
        keptTransitionCount = nil
    }
}
