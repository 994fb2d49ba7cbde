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
    private struct Slot {
        let buffer: RequestBuffer
        var print: PiecePrint?
        /// Of a long piece of zeroes: what has been read of it.
        var done: Int64 = 0
    }

    private let job: DiskCopy
    private let target: LaneSource
    private let prints: [PiecePrint]
    private let turn: Turn
    private var slots: [Slot]
    private var idleSlots: [Int]
    private var dueSlots: [Int] = []
    private var failure: CopyError?
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
        idleSlots = Array(0..<count)
    }

    /// Compares until there is nothing left.
    ///
    /// - Throws: `CopyError` with the offset of what differs, or cannot be read.
    func run() throws(CopyError) {
        var isDry = false
        while !job.isStopped {
            while let index = dueSlots.popLast() { readNext(index) }
            while !isDry, dueSlots.isEmpty, failure == nil, let index = idleSlots.last {
                let place = turn.take()
                guard place < prints.count else {
                    isDry = true
                    break
                }
                idleSlots.removeLast()
                slots[index].print = prints[place]
                slots[index].done = 0
                readNext(index)
            }
            if let failure { throw failure }
            if isDry, idleSlots.count == slots.count { break }
            if let connection = target.connection, dueSlots.isEmpty {
                NBDConnection.wait(for: [connection], milliseconds: CopyLane.waitMillisecondsMax)
                if connection.isOver { throw unreadable(prints.first?.offset ?? 0, ENOTCONN) }
            }
        }
        if idleSlots.count == slots.count { target.connection?.disconnect() }
    }

    private func length(_ slot: Slot) -> Int64 {
        guard let print = slot.print else { return 0 }
        return min(requestLength, print.length - slot.done)
    }

    private func readNext(_ index: Int) {
        let slot = slots[index]
        guard let print = slot.print else { return }
        let offset = print.offset + slot.done
        switch target {
        case .file(let file):
            let length = Int(length(slot))
            let outcome = slot.buffer.read(from: file, offset: offset, byteCount: length)
            switch outcome {
            case .done: compare(index)
            case .failed(let at, let number): failure = unreadable(at, number)
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
                failure = unreadable(offset, error.code)
            }
        }
    }

    func ended(token: Int, errorNumber: Int32) {
        guard errorNumber == 0 else {
            let slot = slots[token]
            failure = failure ?? unreadable((slot.print?.offset ?? 0) + slot.done, errorNumber)
            return
        }
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
        if slots[index].done < print.length {
            // Not from here: the connection's own lock may be held.
            dueSlots.append(index)
        } else {
            slots[index].print = nil
            idleSlots.append(index)
        }
    }

    private func unreadable(_ offset: Int64, _ number: Int32) -> CopyError {
        job.fault("cannot read the target \(job.disk.target.name) back at offset \(offset)", number)
    }

    private func differs(_ offset: Int64) -> CopyError {
        job.fault(
            "verification failed: the target \(job.disk.target.name) differs at offset \(offset) from what was "
                + "read there from the source \(job.disk.source.name)",
            nil
        )
    }
}
