internal import Glibc
internal import NBD
internal import Synchronization
internal import Threading

/// Whose turn is next, among lanes that share a list.
final class Turn: Sendable {
    private let next = Atomic<Int>(0)

    /// The next place in the list.
    func take() -> Int { next.add(1, ordering: .relaxed).oldValue }
}

/// Reads a target back over one connection and compares it with what was read from the source. Belongs to its
/// thread.
final class ReadBack: NBDListener {
    private enum Stage: Equatable {
        case idle
        /// The next read is to be issued at this time, by the monotonic clock's milliseconds.
        case due(Int64)
        case reading(since: Int64)
        /// The connection broke meanwhile.
        case lost
    }

    private struct Slot {
        let buffer: RequestBuffer
        var stage = Stage.idle
        var print: PiecePrint?
        /// Of a long piece of zeroes: what has been read of it.
        var done: Int64 = 0
        /// Tries of the present read that were refused.
        var failureCount = 0

        /// Where the present read begins.
        var offset: Int64 { (print?.offset ?? 0) + done }
    }

    private let job: DiskCopy
    private var target: LaneSource
    private let prints: [PiecePrint]
    private let turn: Turn
    private var slots: [Slot]
    private var failure: CopyError?
    private var isLost = false
    private var heardAtMilliseconds = MonotonicClock.nowMilliseconds
    /// Since when the server is gone. nil if something went well since.
    private var lostAtMilliseconds: Int64?
    private let requestLength: Int64

    init(job: DiskCopy, target: LaneSource, prints: [PiecePrint], turn: Turn) {
        self.job = job
        self.target = target
        self.prints = prints
        self.turn = turn
        requestLength = job.settings.requestLength(for: job.disk, bytesPerSecond: nil)
        let count = target.connection == nil ? 1 : job.settings.requestsPerConnection
        let length = requestLength
        slots = (0..<count).map { _ in Slot(buffer: RequestBuffer(for: job.disk, requestLength: length)) }
    }

    /// Compares until there is nothing left. What is refused is tried again, and a server that goes away is waited
    /// for, as while copying.
    ///
    /// - Throws: `CopyError` with the offset of what differs, or cannot be read.
    func run() throws(CopyError) {
        var isDry = false
        while !job.isStopped {
            try recover()
            for index in slots.indices where failure == nil && !isLost {
                if slots[index].stage == .idle, !isDry {
                    let place = turn.take()
                    isDry = place >= prints.count
                    if !isDry { begin(index, prints[place]) }
                }
                if case .due(let at) = slots[index].stage, at <= MonotonicClock.nowMilliseconds {
                    readNext(index)
                }
            }
            if let failure { throw failure }
            if isDry, isIdle { break }
            wait()
            if let failure { throw failure }
            noteSilence()
        }
        if isIdle { target.connection?.disconnect() }
    }

    private var isIdle: Bool { slots.allSatisfy { $0.stage == .idle } }

    private func begin(_ index: Int, _ print: PiecePrint) {
        slots[index].print = print
        slots[index].done = 0
        slots[index].failureCount = 0
        slots[index].stage = .due(0)
    }

    /// Waits for the server, or until a read is due.
    private func wait() {
        let now = MonotonicClock.nowMilliseconds
        var milliseconds = CopyLane.waitMillisecondsMax
        for slot in slots {
            if case .due(let at) = slot.stage { milliseconds = min(milliseconds, Int(max(0, at - now))) }
        }
        if let connection = target.connection {
            NBDConnection.wait(for: [connection], milliseconds: isLost ? 0 : milliseconds)
        } else if milliseconds > 0 {
            _ = job.cancellation.sleep(milliseconds: milliseconds)
        }
    }

    // MARK: - Recovery

    /// Connects again where the server went away, and reads again what was in flight.
    private func recover() throws(CopyError) {
        guard case .nbd(let end, let connection) = target, isLost || connection.isOver else { return }
        let start = lostAtMilliseconds ?? MonotonicClock.nowMilliseconds
        lostAtMilliseconds = start
        let offset = slots.filter { $0.stage != .idle }.map(\.offset).min()
        let again = try job.connectAgain(
            to: end,
            role: "target",
            lostAtMilliseconds: start,
            offset: offset
        )
        guard let again else { return }
        target = .nbd(end, again)
        isLost = false
        for index in slots.indices where slots[index].stage != .idle { slots[index].stage = .due(0) }
    }

    /// A server that says nothing while reads are in flight counts as gone.
    private func noteSilence() {
        guard target.connection != nil else { return }
        let now = MonotonicClock.nowMilliseconds
        for slot in slots {
            guard case .reading(let since) = slot.stage,
                now - max(since, heardAtMilliseconds) > job.settings.retry.silenceMillisecondsMax
            else { continue }
            isLost = true
        }
    }

    private func failed(_ index: Int, at offset: Int64, _ number: Int32) {
        // As while copying: a file has no connection to wait for.
        if target.connection != nil, RetryRule.isLoss(number) {
            slots[index].stage = .lost
            isLost = true
            return
        }
        slots[index].failureCount += 1
        let rule = job.settings.retry
        let count = slots[index].failureCount
        guard !rule.shouldRetry(number, afterTries: count) else {
            slots[index].stage = .due(
                MonotonicClock.nowMilliseconds + rule.waitMilliseconds(afterFailures: count)
            )
            return
        }
        let tries = count > 1 ? ", tried \(count) times" : ""
        let reason = "cannot read the target \(job.disk.target.name) back at offset \(offset)\(tries)"
        failure = failure ?? job.fault(reason, number)
    }

    // MARK: - Reading

    private func length(_ slot: Slot) -> Int64 {
        guard let print = slot.print else { return 0 }
        return min(requestLength, print.length - slot.done)
    }

    private func readNext(_ index: Int) {
        let slot = slots[index]
        let offset = slot.offset
        slots[index].stage = .reading(since: MonotonicClock.nowMilliseconds)
        switch target {
        case .file(let file):
            let length = Int(length(slot))
            let outcome = slot.buffer.read(from: file, offset: offset, byteCount: length)
            switch outcome {
            case .done: compare(index)
            case .failed(let at, let number): failed(index, at: at, number)
            case .ended(let at): failure = differs(at)
            }
        case .nbd(let end, let connection):
            let unit = end.export.blockSizeMin
            let padded = min(end.export.size - offset, (length(slot) + unit - 1) / unit * unit)
            do throws(NBDError) {
                try connection.read(
                    into: slot.buffer,
                    offset: offset,
                    byteCount: Int(padded),
                    token: index,
                    self
                )
            } catch {
                // On a connection that is over, libnbd refuses the command itself.
                failed(index, at: offset, connection.isOver ? ENOTCONN : error.code)
            }
        }
    }

    func ended(token: Int, errorNumber: Int32) {
        heardAtMilliseconds = MonotonicClock.nowMilliseconds
        guard case .reading = slots[token].stage else { return }
        guard errorNumber == 0 else { return failed(token, at: slots[token].offset, errorNumber) }
        lostAtMilliseconds = nil
        compare(token)
    }

    private func compare(_ index: Int) {
        let slot = slots[index]
        guard let print = slot.print else { return }
        let length = length(slot)
        let isSame =
            print.hash.map { $0 == slot.buffer.hash(byteCount: Int(length)) }
            ?? slot.buffer.isZero(0..<Int(length))
        guard isSame else {
            failure = failure ?? differs(print.offset + slot.done)
            return
        }
        slots[index].done += length
        slots[index].failureCount = 0
        // What is left is not read from here: the connection's own lock may be held.
        slots[index].stage = slots[index].done < print.length ? .due(0) : .idle
    }

    private func differs(_ offset: Int64) -> CopyError {
        job.fault(
            "verification failed: the target \(job.disk.target.name) differs at offset \(offset) from what was "
                + "read there from the source \(job.disk.source.name)",
            nil
        )
    }
}
