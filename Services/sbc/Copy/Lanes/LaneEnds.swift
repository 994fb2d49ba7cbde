internal import CLinux
internal import Glibc
internal import NBD

/// How a transfer between a file and a buffer ended.
enum TransferOutcome: Equatable {
    case done
    /// There was no more at this offset.
    case ended(at: Int64)
    /// The system refused at this offset, with this errno.
    case failed(at: Int64, Int32)
}

extension RequestBuffer {
    /// Fills its beginning from a file.
    func read(from descriptor: Descriptor, offset: Int64, byteCount: Int) -> TransferOutcome {
        unsafe transfer(0..<byteCount, offset: offset) { memory, count, place in
            unsafe pread(descriptor.number, memory, count, place)
        }
    }

    /// Writes a part of it to a file.
    func write(_ range: Range<Int>, to descriptor: Descriptor, offset: Int64) -> TransferOutcome {
        unsafe transfer(range, offset: offset) { memory, count, place in
            unsafe pwrite(descriptor.number, memory, count, place)
        }
    }

    /// The most bytes of one system call. Measured: larger ones leave the processor's cache, and cost up to four
    /// times as much.
    private static let callLengthMax = 256 << 10

    /// Repeats a call until all bytes are through: it may take a part, and signals may interrupt it.
    private func transfer(
        _ range: Range<Int>,
        offset: Int64,
        _ call: (UnsafeMutableRawPointer?, Int, Int) -> Int
    ) -> TransferOutcome {
        unsafe withBytes(range) { bytes in
            var done = 0
            while done < bytes.count {
                let place = Int(offset) + done
                let length = min(Self.callLengthMax, bytes.count - done)
                let count = unsafe call(bytes.baseAddress?.advanced(by: done), length, place)
                if count < 0 && errno == EINTR { continue }
                guard count >= 0 else { return .failed(at: Int64(place), errno) }
                guard count > 0 else { return .ended(at: Int64(place)) }
                done += count
            }
            return .done
        }
    }
}

/// Where a lane reads.
enum LaneSource {
    case file(OpenFile)
    case nbd(NBDEnd, NBDConnection)

    var connection: NBDConnection? {
        if case .nbd(_, let connection) = self { connection } else { nil }
    }
}

/// Where a lane writes.
enum LaneTarget {
    case file(TargetFile)
    case nbd(NBDEnd, NBDConnection)

    var connection: NBDConnection? {
        if case .nbd(_, let connection) = self { connection } else { nil }
    }
}

/// A file or block device that is written to.
struct TargetFile {
    let file: OpenFile
    /// It reads as zeroes wherever nothing was written: it was made, or emptied, for this copy.
    let isBlank: Bool

    /// Makes a stretch read as zeroes by giving it up.
    ///
    /// - Returns: false where that is not possible, so that zeroes must be written.
    func zero(_ range: Range<Int64>) -> Bool {
        isBlank || (file.isDevice ? zeroDevice(range) : punch(range))
    }

    /// Makes a stretch read as zeroes, by giving it up where that is possible, else by writing them.
    func zero(_ range: Range<Int64>, through buffer: RequestBuffer) -> TransferOutcome {
        if zero(range) { return .done }
        let step = Int64(buffer.byteCount)
        buffer.clear(0..<Int(min(step, Int64(range.count))))
        var offset = range.lowerBound
        while offset < range.upperBound {
            let length = min(step, range.upperBound - offset)
            let outcome = buffer.write(0..<Int(length), to: file.descriptor, offset: offset)
            guard outcome == .done else { return outcome }
            offset += length
        }
        return .done
    }

    /// Has the file system share the blocks of a stretch of another file, at the same place.
    ///
    /// - Returns: false where it cannot.
    func clone(_ range: Range<Int64>, of source: OpenFile) -> Bool {
        let target = file.descriptor.number
        return sendense_clone_range(target, source.descriptor.number, Int(range.lowerBound), range.count) == 0
    }

    /// Has the system begin to write a stretch to the disk, so that not all of it is left for the end. A hint only.
    func beginWriting(_ range: Range<Int64>) {
        _ = sendense_begin_writing(file.descriptor.number, Int(range.lowerBound), range.count)
    }

    private func punch(_ range: Range<Int64>) -> Bool {
        sendense_punch_hole(file.descriptor.number, Int(range.lowerBound), range.count) == 0
    }

    private func zeroDevice(_ range: Range<Int64>) -> Bool {
        // linux/fs.h: BLKZEROOUT is _IO(0x12, 127); its argument is the offset and length in bytes.
        let blockZeroOut: UInt = 0x127F
        var argument = [UInt64(range.lowerBound), UInt64(range.count)]
        return unsafe ioctl(file.descriptor.number, blockZeroOut, &argument) == 0
    }
}
