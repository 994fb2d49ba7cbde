internal import Glibc

/// A stretch of a disk.
struct Extent: Equatable, Sendable {
    var offset: Int64
    var length: Int64
    /// It holds data; else it reads as zeroes and takes no room.
    var isData: Bool
}

/// Walks through the data and holes of a stretch of a file.
///
/// It moves the descriptor's file offset (SEEK_DATA has no other way) without relying on where that is, so
/// several may share a descriptor.
struct ExtentWalk {
    // lseek(2)'s numbers on Linux; glibc shows the names only with _GNU_SOURCE, which Swift's module lacks.
    private static let seekData: Int32 = 3
    private static let seekHole: Int32 = 4

    private let descriptor: Descriptor
    private let size: Int64
    private var offset: Int64
    private var pending: Extent?

    init(_ descriptor: Descriptor, _ range: Range<Int64>) {
        self.descriptor = descriptor
        offset = range.lowerBound
        size = range.upperBound
    }

    /// The next stretch. nil at the end.
    ///
    /// - Throws: the errno of `lseek(2)`.
    mutating func next() throws(SystemError) -> Extent? {
        if let extent = pending {
            pending = nil
            return extent
        }
        guard offset < size else { return nil }
        let start = offset
        let dataStart: Int64
        switch seek(start, Self.seekData) {
        case .success(let found): dataStart = min(Int64(found), size)
        case .failure(let error) where error.number == ENXIO:
            // No data up to the file's end. Whether that is still where it was, the copy checks when it ends.
            dataStart = size
        case .failure(let error) where error.number == EINVAL:
            // No holes known here: all of it is data.
            offset = size
            return Extent(offset: start, length: size - start, isData: true)
        case .failure(let error):
            throw error
        }
        let hole = Extent(offset: start, length: dataStart - start, isData: false)
        guard dataStart < size else {
            offset = size
            return hole
        }
        let dataEnd = min(Int64(try seek(dataStart, Self.seekHole).get()), size)
        let data = Extent(offset: dataStart, length: dataEnd - dataStart, isData: true)
        offset = dataEnd
        guard hole.length > 0 else { return data }
        pending = data
        return hole
    }

    private func seek(_ offset: Int64, _ whence: Int32) -> Result<Int, SystemError> {
        let found = lseek(descriptor.number, Int(offset), whence)
        return found < 0 ? .failure(SystemError(number: errno)) : .success(found)
    }
}

/// A system call's errno.
struct SystemError: Error, Equatable {
    var number: Int32
}
