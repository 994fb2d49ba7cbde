internal import Glibc
internal import NBD
internal import Threading

/// How commands end.
extension CopyLane {
    func ended(token: Int, errorNumber: Int32) {
        heardAtMilliseconds = MonotonicClock.nowMilliseconds
        if errorNumber == 0 { noteWell(Token(token)) }
        switch Token(token) {
        case .status: statusEnded(errorNumber)
        case .flush: flushEnded(errorNumber)
        case .slot(let index, let operation):
            guard slots[index].stage == .busy(operation) else { return }
            var error = errorNumber
            if operation == .write {
                slots[index].openCommandCount -= 1
                if slots[index].commandError == 0 { slots[index].commandError = errorNumber }
                guard slots[index].openCommandCount == 0 else { return }
                error = slots[index].commandError
            }
            if error == 0 {
                succeeded(index, operation)
            } else {
                failed(index, operation, error, at: slots[index].piece.offset)
            }
        }
    }

    private func noteWell(_ token: Token) {
        switch token {
        case .status, .slot(_, .read): sourceLostAtMilliseconds = nil
        case .flush, .slot: targetLostAtMilliseconds = nil
        }
    }

    func succeeded(_ index: Int, _ operation: Operation) {
        slots[index].failureCount = 0
        guard let stretch = slots[index].stretch, !stretch.isDropped else { return release(index) }
        guard operation == .read else { return complete(index, stretch, operation) }
        let slot = slots[index]
        let length = Int(slot.piece.length)
        let runs = Run.runs(of: slot.piece, in: slot.buffer)
        let isZero = runs.count == 1 && runs[0].isZero
        slots[index].runs = runs
        if job.settings.isVerifying, !isZero {
            stretch.prints.append(
                PiecePrint(
                    offset: slot.piece.offset,
                    length: slot.piece.length,
                    hash: slot.buffer.hash(byteCount: length)
                )
            )
        }
        issue(index, isZero ? .zero : .write)
    }

    private func complete(_ index: Int, _ stretch: Stretch, _ operation: Operation) {
        let piece = slots[index].piece
        if job.settings.isVerifying, operation == .zero {
            stretch.prints.append(PiecePrint(offset: piece.offset, length: piece.length, hash: nil))
        }
        job.counters.add(moved: piece.isData ? piece.length : 0, dealt: stretch.add(piece.length))
        unflushedLength += piece.isData ? piece.length : 0
        release(index)
        if stretch.isDone { retire(stretch) }
    }

    func release(_ index: Int) {
        slots[index].stage = .idle
        slots[index].stretch = nil
        slots[index].failureCount = 0
        idleSlots.append(index)
    }

    /// A stretch is on the target, though perhaps not durable there.
    func retire(_ stretch: Stretch) {
        active.removeAll { $0 === stretch }
        if case .file(let targetFile) = target { targetFile.beginWriting(stretch.range) }
        unflushed.append(stretch)
        if flush == .done { flush = .none }
    }

    func failed(_ index: Int, _ operation: Operation, _ number: Int32, at offset: Int64) {
        // A file has no connection to wait for: there, ENOTCONN is a FUSE file system whose process has died.
        let connection = operation == .read ? source.connection : target.connection
        if connection != nil, RetryRule.isLoss(number) {
            slots[index].stage = .lost(operation)
            noteLoss(isSource: operation == .read)
            return
        }
        slots[index].failureCount += 1
        let rule = job.settings.retry
        let count = slots[index].failureCount
        guard !rule.shouldRetry(number, afterTries: count) else {
            slots[index].stage = .due(operation)
            slots[index].dueAtMilliseconds =
                MonotonicClock.nowMilliseconds + rule.waitMilliseconds(afterFailures: count)
            return
        }
        let tries = count > 1 ? ", tried \(count) times" : ""
        failure = job.fault(
            operation == .read
                ? "cannot read the source \(job.disk.source.name) at offset \(offset)\(tries)"
                : "cannot write the target \(job.disk.target.name) at offset \(offset)\(tries)",
            number
        )
    }

    private func flushEnded(_ number: Int32) {
        if RetryRule.isLoss(number) { return noteLoss(isSource: false) }
        guard number == 0 else {
            // What a failed flush has not made durable may be gone without a further word (fsync(2)).
            failure = job.fault("cannot make the target \(job.disk.target.name) durable (flush)", number)
            return
        }
        if job.settings.isVerifying { job.keep(flushing.flatMap(\.prints)) }
        flushing = []
        flush = unflushed.isEmpty ? .done : .none
    }
}
