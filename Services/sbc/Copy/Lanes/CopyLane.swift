internal import Glibc
internal import NBD
internal import Threading

/// Copies stretches of a disk over one connection to either side, with several requests in flight.
///
/// A request's buffer goes from the source to the target as it is: what a read brings is written from the very
/// call that tells of its end, while it is still in the processor's cache. All of a lane belongs to one thread;
/// other lanes, with connections of their own, work beside it.
final class CopyLane: NBDListener {
    /// What a slot is busy with.
    enum Operation: Int {
        case read, write, zero
    }

    enum Stage: Equatable {
        case idle
        case busy(Operation)
        /// It failed, and is to be tried again at `dueAtMilliseconds`.
        case due(Operation)
        /// Its server went away; it is to be issued again once that is back.
        case lost(Operation)
    }

    /// One request's way from source to target.
    struct Slot {
        let buffer: RequestBuffer
        var piece = Extent(offset: 0, length: 0, isData: false)
        var stretch: Stretch?
        var stage = Stage.idle
        /// How what was read is written: data and zeroes by turns.
        var runs: [Run] = []
        /// Commands of a write that have not ended.
        var openCommandCount = 0
        /// The first error of these.
        var commandError: Int32 = 0
        /// Tries of the present operation that failed.
        var failureCount = 0
        var dueAtMilliseconds: Int64 = 0
        var issuedAtMilliseconds: Int64 = 0
    }

    /// What makes the written data durable at the end.
    enum Flush {
        case none, busy, done
    }

    static let waitMillisecondsMax = 100
    /// Files are read at once, so that now and then the connections must have their turn.
    static let fileReadsAtOnce = 8

    let job: DiskCopy
    var source: LaneSource
    var target: LaneTarget
    let cutter: PieceCutter
    var slots: [Slot]
    var idleSlots: [Int]
    var failure: CopyError?

    // Work: stretches that are looked at, being copied, and written but not known to be durable.
    var pieces: [(piece: Extent, stretch: Stretch)] = []
    var nextPiece = 0
    var asking: AskedStretch?
    var redo: [Stretch] = []
    var active: [Stretch] = []
    var unflushed: [Stretch] = []
    var unflushedLength: Int64 = 0
    var flushing: [Stretch] = []
    var flush = Flush.none
    var flushedAtMilliseconds: Int64 = 0
    var isDry = false

    // Ends: what was lost, and when it was last heard.
    var isSourceLost = false
    var isTargetLost = false
    var sourceLostAtMilliseconds: Int64?
    var targetLostAtMilliseconds: Int64?
    var heardAtMilliseconds: Int64
    var silenceCheckedAtMilliseconds: Int64
    var canAskStatus = true
    var canClone: Bool
    var paidPieceAtNanoseconds: Int64?

    init(job: DiskCopy, source: LaneSource, target: LaneTarget) {
        self.job = job
        self.source = source
        self.target = target
        let disk = job.disk
        let length = job.settings.requestLength(for: disk, bytesPerSecond: job.limit?.bytesPerSecond)
        // What is cloned is not read, so it could not be verified.
        canClone = disk.isFileToFile && !job.settings.isVerifying
        cutter = PieceCutter(
            blockSize: disk.blockSize,
            dataLengthMax: length,
            zeroLengthMax: target.zeroLengthMax(bufferLength: length)
        )
        let count = disk.isFileToFile ? 1 : job.settings.requestsPerConnection
        slots = (0..<count).map { _ in
            Slot(buffer: RequestBuffer(for: disk, requestLength: length))
        }
        idleSlots = Array((0..<count).reversed())
        heardAtMilliseconds = MonotonicClock.nowMilliseconds
        silenceCheckedAtMilliseconds = heardAtMilliseconds
    }

    /// Copies until there is nothing left to deal out and all of it is written and flushed, or the copy is
    /// stopped.
    ///
    /// - Throws: `CopyError` with the offset and the cause of what failed for good.
    func run() throws(CopyError) {
        while !job.isStopped {
            try recover()
            let now = MonotonicClock.nowMilliseconds
            issueDue(now)
            if unflushedLength > job.settings.unflushedLengthMax, flush != .busy { _ = beginFlush() }
            let isWaiting = fill(now)
            if let failure { throw failure }
            if isIdle, endFlush() { break }
            wait(isWaiting ? waitMilliseconds(now) : 0)
            if let failure { throw failure }
            noteSilence()
        }
        if job.settings.isVerifying { job.keep(unflushed.flatMap(\.prints)) }
        if idleSlots.count == slots.count {
            source.connection?.disconnect()
            target.connection?.disconnect()
        }
    }

    private var isIdle: Bool {
        isDry && asking == nil && redo.isEmpty && nextPiece == pieces.count && idleSlots.count == slots.count
    }

    private func wait(_ milliseconds: Int) {
        let connections = [source.connection, target.connection].compactMap(\.self)
        if connections.isEmpty {
            if milliseconds > 0 { _ = job.cancellation.sleep(milliseconds: milliseconds) }
        } else {
            NBDConnection.wait(for: connections, milliseconds: milliseconds)
        }
    }

    /// Until the next thing that has to be done by the clock.
    private func waitMilliseconds(_ now: Int64) -> Int {
        var until = now + Int64(Self.waitMillisecondsMax)
        if let paid = paidPieceAtNanoseconds { until = min(until, (paid + 999_999) / 1_000_000) }
        for slot in slots {
            if case .due = slot.stage { until = min(until, slot.dueAtMilliseconds) }
        }
        return Int(max(0, until - now))
    }

    // MARK: - Taking work

    /// Puts idle slots to work.
    ///
    /// - Returns: whether there is nothing to do but wait.
    private func fill(_ now: Int64) -> Bool {
        var count = 0
        while let index = idleSlots.last {
            guard failure == nil, !job.isStopped else { return true }
            if pieces.count - nextPiece < slots.count { askForMore() }
            guard nextPiece < pieces.count else { return asking != nil || isDry }
            let (piece, stretch) = pieces[nextPiece]
            guard !piece.isData || isPaid(piece) else { return true }
            nextPiece += 1
            if nextPiece == pieces.count {
                pieces.removeAll(keepingCapacity: true)
                nextPiece = 0
            }
            idleSlots.removeLast()
            slots[index].piece = piece
            slots[index].stretch = stretch
            issue(index, piece.isData ? .read : .zero)
            count += 1
            if source.connection == nil, count == Self.fileReadsAtOnce { return false }
        }
        return true
    }

    /// Under a rate limit, whether the time of a piece has come. Each piece is taken from the bucket once.
    private func isPaid(_ piece: Extent) -> Bool {
        guard let limit = job.limit else { return true }
        let now = MonotonicClock.nowNanoseconds
        let due: Int64
        if let paid = paidPieceAtNanoseconds {
            due = paid
        } else {
            due = now + limit.delayNanoseconds(forBytes: piece.length)
        }
        paidPieceAtNanoseconds = due > now ? due : nil
        return due <= now
    }

    /// Issues what is to be tried again now.
    private func issueDue(_ now: Int64) {
        for index in slots.indices {
            guard case .due(let operation) = slots[index].stage, slots[index].dueAtMilliseconds <= now else {
                continue
            }
            issue(index, operation)
        }
    }

    // MARK: - The end

    /// Has the target make durable what was written.
    ///
    /// - Returns: whether the lane has nothing more to do.
    private func endFlush() -> Bool {
        switch flush {
        case .done: return true
        case .busy: return false
        case .none: return !beginFlush()
        }
    }

    /// - Returns: whether there is a flush under way. A file is made durable by the disk's own thread.
    func beginFlush() -> Bool {
        guard case .nbd(let end, let connection) = target, end.export.canFlush else { return false }
        do throws(NBDError) {
            flushing += unflushed
            unflushed = []
            unflushedLength = 0
            flush = .busy
            flushedAtMilliseconds = MonotonicClock.nowMilliseconds
            try connection.flush(token: Token.flush.number, self)
        } catch {
            isTargetLost = true
        }
        return true
    }
}
