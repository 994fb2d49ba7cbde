/// Deals out what is to be copied in stretches, in order of offset, so that all connections stay close
/// together and none is left with most of the work. Pure.
struct StretchDealer {
    private static let lengthMax: Int64 = 64 << 20
    private static let lengthMin: Int64 = 1 << 20
    /// How many stretches each connection gets at least, where the disk is large enough.
    private static let countPerConnection: Int64 = 16

    private let regions: [Range<Int64>]
    private let length: Int64
    private var index = 0
    private var offset: Int64 = 0

    /// Deals out regions, which rise and do not overlap.
    init(_ regions: [Range<Int64>], connectionCount: Int) {
        self.regions = regions
        let total = regions.reduce(0) { $0 + Int64($1.count) }
        let share = total / (Int64(max(1, connectionCount)) * Self.countPerConnection)
        length = min(Self.lengthMax, max(Self.lengthMin, share / Self.lengthMin * Self.lengthMin))
        offset = regions.first?.lowerBound ?? 0
    }

    /// Nothing is left.
    var isDry: Bool { index >= regions.count }

    /// The next stretch. nil when all is dealt out.
    mutating func next() -> Range<Int64>? {
        while index < regions.count, offset >= regions[index].upperBound {
            index += 1
            if index < regions.count { offset = regions[index].lowerBound }
        }
        guard index < regions.count else { return nil }
        // To a multiple of the length, so that requests do not straddle what a target allocates at once.
        let end = min(regions[index].upperBound, (offset / length + 1) * length)
        defer { offset = end }
        return offset..<end
    }
}

/// Cuts a stretch's extents into pieces, each for one request. Pure.
struct PieceCutter: Equatable, Sendable {
    /// Offsets and lengths are multiples of it, but for the disk's end.
    var blockSize: Int64
    /// The most bytes of data of one piece.
    var dataLengthMax: Int64
    /// The most bytes of zeroes of one piece.
    var zeroLengthMax: Int64

    /// Cuts.
    ///
    /// - Parameter extents: without a gap, from one multiple of the block size to another or to the disk's end.
    /// - Returns: pieces that cover the same. A block that holds any data is data.
    func cut(_ extents: [Extent]) -> [Extent] {
        guard let first = extents.first, let last = extents.last else { return [] }
        let end = last.offset + last.length
        var pieces: [Extent] = []
        var cursor = first.offset
        for extent in extents where extent.isData && extent.length > 0 {
            let start = max(cursor, extent.offset / blockSize * blockSize)
            let stop = min(end, (extent.offset + extent.length + blockSize - 1) / blockSize * blockSize)
            append(cursor..<start, isData: false, to: &pieces)
            if stop > start { append(start..<stop, isData: true, to: &pieces) }
            cursor = max(cursor, stop)
        }
        append(cursor..<end, isData: false, to: &pieces)
        return pieces
    }

    private func append(_ range: Range<Int64>, isData: Bool, to pieces: inout [Extent]) {
        let lengthMax = isData ? dataLengthMax : zeroLengthMax
        var offset = range.lowerBound
        while offset < range.upperBound {
            let end = min(range.upperBound, (offset / lengthMax + 1) * lengthMax)
            pieces.append(Extent(offset: offset, length: end - offset, isData: isData))
            offset = end
        }
    }
}
