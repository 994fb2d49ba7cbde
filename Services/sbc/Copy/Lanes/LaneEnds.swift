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
    /// A buffer for requests of a disk's: with room for the padding of its last block, and placed as direct I/O asks.
    convenience init(for disk: PreparedDisk, requestLength: Int64) {
        self.init(byteCount: Int(requestLength + disk.blockSize), alignment: max(4096, Int(disk.blockSize)))
    }

    /// Fills its beginning from a file.
    func read(from file: OpenFile, offset: Int64, byteCount: Int) -> TransferOutcome {
        unsafe transfer(0..<byteCount, file, offset: offset) { descriptor, memory, count, place in
            unsafe pread(descriptor, memory, count, place)
        }
    }

    /// Writes a part of it to a file.
    func write(_ range: Range<Int>, to file: OpenFile, offset: Int64) -> TransferOutcome {
        unsafe transfer(range, file, offset: offset) { descriptor, memory, count, place in
            unsafe pwrite(descriptor, memory, count, place)
        }
    }

    /// Repeats a call until all bytes are through: it may take a part, and signals may interrupt it.
    private func transfer(
        _ range: Range<Int>,
        _ file: OpenFile,
        offset: Int64,
        _ call: (Int32, UnsafeMutableRawPointer?, Int, Int) -> Int
    ) -> TransferOutcome {
        unsafe withBytes(range) { bytes in
            var done = 0
            while done < bytes.count {
                let place = offset + Int64(done)
                let way = file.way(offset: place, byteCount: bytes.count - done)
                let memory = unsafe bytes.baseAddress?.advanced(by: done)
                let count = unsafe call(way.descriptor, memory, way.byteCount, Int(place))
                if count < 0 && errno == EINTR { continue }
                guard count >= 0 else { return .failed(at: place, errno) }
                guard count > 0 else { return .ended(at: place) }
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
    /// The disk's bytes. The file was given as many before the first write.
    let diskSize: Int64

    /// Whether it is smaller than it was made: writing on would give it its size again, but not what is lost. A device
    /// cannot be cut.
    var isCut: Bool {
        guard !file.isDevice else { return false }
        var status = stat()
        return unsafe fstat(file.descriptor.number, &status) == 0 && status.st_size < diskSize
    }

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
            let outcome = buffer.write(0..<Int(length), to: file, offset: offset)
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
        return sendense_clone_range(target, source.descriptor.number, range.lowerBound, Int64(range.count))
            == 0
    }

    /// Has the system begin to write a stretch to the disk, so that not all of it is left for the end. A hint only.
    func beginWriting(_ range: Range<Int64>) {
        guard file.direct == nil else { return }
        _ = sendense_begin_writing(file.descriptor.number, range.lowerBound, Int64(range.count))
    }

    private func punch(_ range: Range<Int64>) -> Bool {
        sendense_punch_hole(file.descriptor.number, range.lowerBound, Int64(range.count)) == 0
    }

    private func zeroDevice(_ range: Range<Int64>) -> Bool {
        // linux/fs.h: BLKZEROOUT is _IO(0x12, 127); its argument is the offset and length in bytes.
        let blockZeroOut: UInt = 0x127F
        var argument = [UInt64(range.lowerBound), UInt64(range.count)]
        return unsafe ioctl(file.descriptor.number, blockZeroOut, &argument) == 0
    }
}
