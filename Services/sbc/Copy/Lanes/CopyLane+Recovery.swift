internal import Glibc
internal import NBD
internal import Threading

extension CopyLane {
    func noteLoss(isSource: Bool) {
        if isSource { isSourceLost = true } else { isTargetLost = true }
    }

    /// Connects again where a server went away, and takes up what was under way.
    func recover() throws(CopyError) {
        if let connection = source.connection, isSourceLost || connection.isOver {
            try recoverSource()
        }
        if let connection = target.connection, isTargetLost || connection.isOver {
            try recoverTarget()
        }
    }

    /// A server that says nothing while requests are in flight counts as gone: behind a dead tunnel, TCP would
    /// wait for a quarter of an hour.
    func noteSilence() {
        let now = MonotonicClock.nowMilliseconds
        guard now - silenceCheckedAtMilliseconds >= 1000 else { return }
        silenceCheckedAtMilliseconds = now
        let limit = job.settings.retry.silenceMillisecondsMax
        guard now - heardAtMilliseconds > limit else { return }
        for slot in slots {
            guard case .busy(let operation) = slot.stage, now - slot.issuedAtMilliseconds > limit else {
                continue
            }
            noteLoss(isSource: operation == .read)
        }
        if let asked = asking, asked.isInFlight, now - asked.issuedAtMilliseconds > limit {
            noteLoss(isSource: true)
        }
        // A flush of a slow disk's may well take longer than any request.
        if flush == .busy, now - flushedAtMilliseconds > limit * 5 { noteLoss(isSource: false) }
    }

    private func recoverSource() throws(CopyError) {
        guard case .nbd(let end, _) = source else { return }
        guard let connection = try connectAgain(to: end, role: "source", operations: [.read]) else { return }
        source = .nbd(end, connection)
        isSourceLost = false
        asking?.isInFlight = false
        for index in slots.indices where slots[index].isAt([.read]) {
            // What was dropped meanwhile needs no reading.
            if slots[index].stretch?.isDropped == false { issue(index, .read) } else { release(index) }
        }
    }

    /// What was written but not flushed may be gone with the server, whatever it acknowledged: a qemu-nbd that
    /// is killed takes qcow2 metadata with it that was only in its memory. So all of it is copied again.
    private func recoverTarget() throws(CopyError) {
        guard case .nbd(let end, _) = target else { return }
        guard let connection = try connectAgain(to: end, role: "target", operations: [.write, .zero]) else {
            return
        }
        target = .nbd(end, connection)
        isTargetLost = false
        flush = .none
        for stretch in flushing + unflushed + active { redo.append(Stretch(again: stretch)) }
        flushing = []
        unflushed = []
        unflushedLength = 0
        active = []
        pieces = []
        nextPiece = 0
        for index in slots.indices {
            switch slots[index].stage {
            // A read that is in flight uses its buffer; it ends first.
            case .idle, .busy(.read): continue
            case .busy, .due, .lost: release(index)
            }
        }
    }

    /// Connects again, in a time that runs from the first loss after something had gone well.
    ///
    /// - Returns: nil if the copy was stopped meanwhile.
    private func connectAgain(
        to end: NBDEnd,
        role: String,
        operations: [Operation]
    ) throws(CopyError) -> NBDConnection? {
        let isSource = role == "source"
        let start =
            (isSource ? sourceLostAtMilliseconds : targetLostAtMilliseconds)
            ?? MonotonicClock.nowMilliseconds
        if isSource { sourceLostAtMilliseconds = start } else { targetLostAtMilliseconds = start }
        let offset = slots.filter { $0.isAt(operations) }.map(\.piece.offset).min()
        return try job.connectAgain(to: end, role: role, lostAtMilliseconds: start, offset: offset)
    }
}

extension DiskCopy {
    /// Connects until it works, or the time for it is over. The time runs from the loss, which who asks takes from
    /// the first after something had gone well: a server that comes back only to fail again is not waited for
    /// without end.
    ///
    /// - Parameters:
    ///   - end: the export.
    ///   - role: source or target.
    ///   - start: when it was lost, by the monotonic clock's milliseconds.
    ///   - offset: where it was at. nil: nowhere.
    /// - Returns: nil if the copy was stopped meanwhile.
    /// - Throws: `CopyError` with the offset and what the last try met.
    func connectAgain(
        to end: NBDEnd,
        role: String,
        lostAtMilliseconds start: Int64,
        offset: Int64?
    ) throws(CopyError) -> NBDConnection? {
        let rule = settings.retry
        onNotice("the \(role) \(end.uri) went away; connecting again")
        var failureCount = 0
        while !isStopped {
            let left = rule.reconnectMillisecondsMax - (MonotonicClock.nowMilliseconds - start)
            do throws(NBDError) {
                guard left > 0 else {
                    throw NBDError(
                        operation: "connect",
                        code: 0,
                        message: "its connection broke, or its requests got no answer"
                    )
                }
                return try end.connect(timeoutMilliseconds: Int(max(1, min(5000, left)))) { isStopped }
            } catch {
                failureCount += 1
                let wait = rule.waitMilliseconds(afterFailures: failureCount)
                guard left > wait else {
                    let place = offset.map { " at offset \($0)" } ?? ""
                    throw fault(
                        "the \(role) \(end.uri) went away\(place) and did not come back within "
                            + "\(rule.reconnectMillisecondsMax) ms: \(error)",
                        error.code == 0 ? nil : error.code
                    )
                }
                _ = cancellation.sleep(milliseconds: Int(wait))
            }
        }
        return nil
    }
}

extension CopyLane.Slot {
    /// Whether it is in the midst of one of these, or waits to do it again.
    func isAt(_ operations: [CopyLane.Operation]) -> Bool {
        switch stage {
        case .idle: false
        case .busy(let operation), .due(let operation), .lost(let operation): operations.contains(operation)
        }
    }
}
