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
            let connection = operation == .read ? source.connection : target.connection
            let number = lossOrCode(error, connection)
            failed(index, operation, number, at: slots[index].piece.offset)
        }
    }

    /// The errno of a command that libnbd did not take. On a connection that is over it says EINVAL, which would be
    /// final on another.
    func lossOrCode(_ error: NBDError, _ connection: NBDConnection?) -> Int32 {
        if connection?.isOver == true { return ENOTCONN }
        return error.code == 0 ? EIO : error.code
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
            if clone(slot.piece, of: file) {
                slots[index].stage = .busy(.write)
                return succeeded(index, .write)
            }
            let outcome = slot.buffer.read(
                from: file,
                offset: slot.piece.offset,
                byteCount: Int(slot.piece.length)
            )
            finished(index, .read, outcome)
        }
    }

    /// Has the file system share a piece's blocks between two files. One that cannot is not asked again.
    private func clone(_ piece: Extent, of file: OpenFile) -> Bool {
        guard canClone, case .file(let targetFile) = target, !targetFile.isCut else { return false }
        canClone = targetFile.clone(piece.offset..<piece.offset + piece.length, of: file)
        return canClone
    }

    private func write(_ index: Int) throws(NBDError) {
        let slot = slots[index]
        switch target {
        case .nbd(let end, let connection):
            let length = Int(paddedLength(slot.piece, end.export))
            slot.buffer.clear(Int(slot.piece.length)..<length)
            slots[index].openCommandCount = slot.runs.count
            slots[index].commandError = 0
            for (place, run) in slot.runs.enumerated() {
                let isLast = place == slot.runs.count - 1
                let bytes = run.bytes.lowerBound..<(isLast ? length : run.bytes.upperBound)
                do throws(NBDError) {
                    try write(bytes, of: slot, isZero: run.isZero && end.export.canZero, index, connection)
                } catch {
                    // Those that are in flight still use the buffer; the last one's end is the write's.
                    slots[index].openCommandCount -= slot.runs.count - place
                    slots[index].commandError = lossOrCode(error, connection)
                    if slots[index].openCommandCount == 0 { throw error }
                    return
                }
            }
        case .file(let targetFile):
            guard !targetFile.isCut else {
                failure = job.fault("the target \(targetFile.file.path) was cut during the copy", nil)
                return
            }
            finished(index, .write, write(slot, to: targetFile))
        }
    }

    private func write(
        _ bytes: Range<Int>,
        of slot: Slot,
        isZero: Bool,
        _ index: Int,
        _ connection: NBDConnection
    ) throws(NBDError) {
        let offset = slot.piece.offset + Int64(bytes.lowerBound)
        let token = Token.slot(index, .write).number
        if isZero {
            try connection.zero(
                offset: offset,
                byteCount: Int64(bytes.count),
                isDurable: isDurable,
                token: token,
                self
            )
        } else {
            try connection.write(
                from: slot.buffer,
                bytes,
                offset: offset,
                isDurable: isDurable,
                token: token,
                self
            )
        }
    }

    private func write(_ slot: Slot, to targetFile: TargetFile) -> TransferOutcome {
        for run in slot.runs {
            let offset = slot.piece.offset + Int64(run.bytes.lowerBound)
            // Where zeroes have to be written, they are in the buffer already.
            if run.isZero, targetFile.zero(offset..<offset + Int64(run.bytes.count)) { continue }
            let outcome = slot.buffer.write(run.bytes, to: targetFile.file, offset: offset)
            guard outcome == .done else { return outcome }
        }
        return .done
    }

    private func zero(_ index: Int) throws(NBDError) {
        let slot = slots[index]
        switch target {
        case .nbd(let end, let connection) where end.export.canZero:
            try connection.zero(
                offset: slot.piece.offset,
                byteCount: paddedLength(slot.piece, end.export),
                isDurable: isDurable,
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
                isDurable: isDurable,
                token: Token.slot(index, .zero).number,
                self
            )
        case .file(let targetFile):
            let range = slot.piece.offset..<slot.piece.offset + slot.piece.length
            finished(index, .zero, targetFile.zero(range, through: slot.buffer))
        }
    }

    /// Each write is asked to be durable before it ends, and the server can do that.
    private var isDurable: Bool {
        guard job.settings.isForcing, case .nbd(let end, _) = target else { return false }
        return end.export.canFUA
    }

    /// The last block of a disk whose size is no multiple of the target's block size is filled up.
    private func paddedLength(_ piece: Extent, _ export: NBDExport) -> Int64 {
        let unit = export.blockSizeMin
        return min(export.size - piece.offset, (piece.length + unit - 1) / unit * unit)
    }

    private func finished(_ index: Int, _ operation: Operation, _ outcome: TransferOutcome) {
        switch outcome {
        case .done: succeeded(index, operation)
        case .failed(let at, let number): failed(index, operation, number, at: at)
        case .ended(let at):
            failure = job.fault(
                operation == .read
                    ? "the source \(job.disk.source.name) ended at offset \(at): it shrank during the copy"
                    : "the target \(job.disk.target.name) takes no more bytes at offset \(at)",
                nil
            )
        }
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
