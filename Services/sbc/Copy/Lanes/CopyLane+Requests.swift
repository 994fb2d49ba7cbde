internal import Glibc
internal import NBD
internal import Threading

/// What a command's token says: a slot and its operation, or one of the two commands that have no slot.
enum Token: Equatable {
    case slot(Int, CopyLane.Operation)
    case status
    case flush

    /// For libnbd's listener.
    var number: Int {
        switch self {
        case .slot(let index, let operation): index << 2 | operation.rawValue
        case .status: -1
        case .flush: -2
        }
    }

    init(_ number: Int) {
        switch number {
        case -1: self = .status
        case -2: self = .flush
        default: self = .slot(number >> 2, CopyLane.Operation(rawValue: number & 3) ?? .read)
        }
    }
}

extension CopyLane {
    /// Begins an operation of a slot. To or from a file it is over on return, and so is what follows.
    func issue(_ index: Int, _ operation: Operation) {
        slots[index].stage = .busy(operation)
        let now = MonotonicClock.nowMilliseconds
        slots[index].issuedAtMilliseconds = now
        do throws(NBDError) {
            switch operation {
            case .read: try read(index)
            case .write: try write(index)
            case .zero: try zero(index)
            }
        } catch {
            // The connection may have broken in this call, and have told so already.
            guard slots[index].stage == .busy(operation) else { return }
            failed(index, operation, error.code == 0 ? EIO : error.code, at: slots[index].piece.offset)
        }
    }

    private func read(_ index: Int) throws(NBDError) {
        let slot = slots[index]
        switch source {
        case .nbd(_, let connection):
            try connection.read(
                into: slot.buffer,
                offset: slot.piece.offset,
                byteCount: Int(slot.piece.length),
                token: Token.slot(index, .read).number,
                self
            )
        case .file(let file):
            if case .file(let targetFile) = target, !job.settings.isVerifying {
                copyFile(index, from: file, to: targetFile)
            } else {
                let outcome = slot.buffer.read(
                    from: file.descriptor,
                    offset: slot.piece.offset,
                    byteCount: Int(slot.piece.length)
                )
                finished(index, .read, outcome)
            }
        }
    }

    private func write(_ index: Int) throws(NBDError) {
        let slot = slots[index]
        switch target {
        case .nbd(let end, let connection):
            let length = paddedLength(slot.piece, end.export)
            slot.buffer.clear(Int(slot.piece.length)..<Int(length))
            try connection.write(
                from: slot.buffer,
                0..<Int(length),
                offset: slot.piece.offset,
                token: Token.slot(index, .write).number,
                self
            )
        case .file(let targetFile):
            let outcome = slot.buffer.write(
                to: targetFile.file.descriptor,
                offset: slot.piece.offset,
                byteCount: Int(slot.piece.length)
            )
            finished(index, .write, outcome)
        }
    }

    private func zero(_ index: Int) throws(NBDError) {
        let slot = slots[index]
        switch target {
        case .nbd(let end, let connection) where end.export.canZero:
            try connection.zero(
                offset: slot.piece.offset,
                byteCount: paddedLength(slot.piece, end.export),
                token: Token.slot(index, .zero).number,
                self
            )
        case .nbd(let end, let connection):
            let length = Int(paddedLength(slot.piece, end.export))
            slot.buffer.clear(0..<length)
            try connection.write(
                from: slot.buffer,
                0..<length,
                offset: slot.piece.offset,
                token: Token.slot(index, .zero).number,
                self
            )
        case .file(let targetFile):
            let range = slot.piece.offset..<slot.piece.offset + slot.piece.length
            finished(index, .zero, targetFile.zero(range, through: slot.buffer))
        }
    }

    /// The last block of a disk whose size is no multiple of the target's block size is filled up.
    private func paddedLength(_ piece: Extent, _ export: NBDExport) -> Int64 {
        let unit = export.blockSizeMin
        return min(export.size - piece.offset, (piece.length + unit - 1) / unit * unit)
    }

    /// Copies a piece from file to file, within the kernel as far as that goes.
    private func copyFile(_ index: Int, from file: OpenFile, to targetFile: TargetFile) {
        let slot = slots[index]
        let end = slot.piece.offset + slot.piece.length
        var offset =
            slot.piece.offset
            + KernelCopy.copy(slot.piece.offset..<end, from: file.descriptor, to: targetFile.file.descriptor)
        while offset < end {
            let length = min(end - offset, Int64(slot.buffer.byteCount))
            let read = slot.buffer.read(from: file.descriptor, offset: offset, byteCount: Int(length))
            guard read == .done else { return finished(index, .read, read) }
            let write = slot.buffer.write(
                to: targetFile.file.descriptor,
                offset: offset,
                byteCount: Int(length)
            )
            guard write == .done else { return cannotWrite(write) }
            offset += length
        }
        slots[index].stage = .busy(.write)
        finished(index, .write, .done)
    }

    /// For good: what a local file system refuses once it will not take a moment later.
    private func cannotWrite(_ outcome: TransferOutcome) {
        switch outcome {
        case .done: break
        case .failed(let at, let number):
            failure = job.fault("cannot write the target \(job.disk.target.name) at offset \(at)", number)
        case .ended(let at):
            failure = job.fault(
                "the target \(job.disk.target.name) takes no more bytes at offset \(at)",
                nil
            )
        }
    }

    private func finished(_ index: Int, _ operation: Operation, _ outcome: TransferOutcome) {
        switch outcome {
        case .done: succeeded(index, operation)
        case .failed(let at, let number): failed(index, operation, number, at: at)
        case .ended(let at) where operation == .read:
            failure = job.fault(
                "the source \(job.disk.source.name) ended at offset \(at): it shrank during the copy",
                nil
            )
        case .ended: cannotWrite(outcome)
        }
    }

    // MARK: - How commands end

    func ended(token: Int, errorNumber: Int32) {
        heardAtMilliseconds = MonotonicClock.nowMilliseconds
        if errorNumber == 0 { noteWell(Token(token)) }
        switch Token(token) {
        case .status: statusEnded(errorNumber)
        case .flush: flushEnded(errorNumber)
        case .slot(let index, let operation):
            guard slots[index].stage == .busy(operation) else { return }
            if errorNumber == 0 {
                succeeded(index, operation)
            } else {
                failed(index, operation, errorNumber, at: slots[index].piece.offset)
            }
        }
    }

    private func noteWell(_ token: Token) {
        switch token {
        case .status, .slot(_, .read): sourceLostAtMilliseconds = nil
        case .flush, .slot: targetLostAtMilliseconds = nil
        }
    }

    private func succeeded(_ index: Int, _ operation: Operation) {
        slots[index].failureCount = 0
        guard let stretch = slots[index].stretch, !stretch.isDropped else { return release(index) }
        guard operation == .read else { return complete(index, stretch, operation) }
        let slot = slots[index]
        let length = Int(slot.piece.length)
        let isZero = slot.buffer.isZero(0..<length)
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
        unflushed.append(stretch)
        if flush == .done { flush = .none }
    }

    private func failed(_ index: Int, _ operation: Operation, _ number: Int32, at offset: Int64) {
        if RetryRule.isLoss(number) {
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

extension LaneTarget {
    /// The most bytes of zeroes of one request.
    func zeroLengthMax(bufferLength: Int64) -> Int64 {
        switch self {
        case .nbd(let end, _) where !end.export.canZero: bufferLength
        // Longer than any stretch.
        case .nbd, .file: 1 << 30
        }
    }
}
