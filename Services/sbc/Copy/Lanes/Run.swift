internal import NBD

/// A part of a request's buffer that is all data, or all zero.
struct Run: Equatable {
    /// What a zero run is worth a command of its own for: less, and sending the zeroes costs less than the command. It
    /// is also a cluster of qcow2.
    static let unit: Int64 = 64 << 10

    var bytes: Range<Int>
    var isZero: Bool

    /// What a piece's bytes are, unit by unit as these lie on the disk. Every byte counts: one that is not zero makes
    /// its unit data.
    static func runs(of piece: Extent, in buffer: RequestBuffer) -> [Run] {
        var runs: [Run] = []
        var offset = piece.offset
        let end = piece.offset + piece.length
        while offset < end {
            let stop = min(end, (offset / unit + 1) * unit)
            let bytes = Int(offset - piece.offset)..<Int(stop - piece.offset)
            let isZero = buffer.isZero(bytes)
            if let last = runs.last, last.isZero == isZero {
                runs[runs.count - 1].bytes = last.bytes.lowerBound..<bytes.upperBound
            } else {
                runs.append(Run(bytes: bytes, isZero: isZero))
            }
            offset = stop
        }
        return runs
    }
}
