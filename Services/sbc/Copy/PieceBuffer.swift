internal import Glibc

/// One worker's memory for one piece.
// Safe: the memory is private, lives as long as the object, and every access is checked against its length.
@safe final class PieceBuffer {
    private let bytes: UnsafeMutableRawBufferPointer

    /// How a transfer ended.
    enum Outcome: Equatable {
        case done
        /// There was no more at this offset.
        case ended(at: Int64)
        /// The system refused at this offset, with this errno.
        case failed(at: Int64, Int32)
    }

    init(byteCount: Int) {
        unsafe bytes = .allocate(byteCount: byteCount, alignment: 4096)
    }

    deinit {
        unsafe bytes.deallocate()
    }

    /// Makes all of it zero.
    func clear() {
        unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    /// Fills its beginning from a file.
    func read(from descriptor: Descriptor, offset: Int64, byteCount: Int) -> Outcome {
        unsafe transfer(offset: offset, byteCount: byteCount) { memory, count, place in
            unsafe pread(descriptor.number, memory, count, place)
        }
    }

    /// Writes its beginning to a file.
    func write(to descriptor: Descriptor, offset: Int64, byteCount: Int) -> Outcome {
        unsafe transfer(offset: offset, byteCount: byteCount) { memory, count, place in
            unsafe pwrite(descriptor.number, memory, count, place)
        }
    }

    /// Repeats a call until all bytes are through: it may take a part, and signals may interrupt it.
    private func transfer(
        offset: Int64,
        byteCount: Int,
        _ call: (UnsafeMutableRawPointer?, Int, Int) -> Int
    ) -> Outcome {
        precondition(unsafe byteCount <= bytes.count)
        var done = 0
        while done < byteCount {
            let place = Int(offset) + done
            let count = unsafe call(bytes.baseAddress?.advanced(by: done), byteCount - done, place)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return .failed(at: Int64(place), errno) }
            guard count > 0 else { return .ended(at: Int64(place)) }
            done += count
        }
        return .done
    }
}
