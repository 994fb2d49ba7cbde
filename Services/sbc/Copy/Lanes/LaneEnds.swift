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

    /// Writes its beginning to a file.
    func write(to descriptor: Descriptor, offset: Int64, byteCount: Int) -> TransferOutcome {
        unsafe transfer(0..<byteCount, offset: offset) { memory, count, place in
            unsafe pwrite(descriptor.number, memory, count, place)
        }
    }

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
                let count = unsafe call(bytes.baseAddress?.advanced(by: done), bytes.count - done, place)
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

    /// Makes a stretch read as zeroes, by giving it up where that is possible, else by writing them.
    func zero(_ range: Range<Int64>, through buffer: RequestBuffer) -> TransferOutcome {
        if isBlank { return .done }
        if file.isDevice ? zeroDevice(range) : punch(range) { return .done }
        let step = Int64(buffer.byteCount)
        buffer.clear(0..<Int(min(step, Int64(range.count))))
        var offset = range.lowerBound
        while offset < range.upperBound {
            let length = min(step, range.upperBound - offset)
            let outcome = buffer.write(to: file.descriptor, offset: offset, byteCount: Int(length))
            guard outcome == .done else { return outcome }
            offset += length
        }
        return .done
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

/// Copies within the kernel, which may share blocks or spare the way through our memory.
enum KernelCopy {
    /// Copies a stretch from one file to the same place in another.
    ///
    /// - Returns: how many bytes from its beginning are done: fewer where the kernel refused, for whatever
    ///   reason, or met the source's end. Reading and writing the rest then tells which.
    static func copy(_ range: Range<Int64>, from source: Descriptor, to target: Descriptor) -> Int64 {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = sendense_copy_file_range(
                source.number,
                Int(offset),
                target.number,
                Int(offset),
                Int(range.upperBound - offset)
            )
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            offset += Int64(count)
        }
        return offset - range.lowerBound
    }
}
