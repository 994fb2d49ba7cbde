internal import FoundationEssentials
internal import NBD
internal import Threading

/// Where an incremental copy learns what has changed.
enum ChangeSource: Equatable, Sendable {
    /// A dirty bitmap of QEMU's that the source's server exports.
    case bitmap(String)
    /// A list that somebody else made.
    case list(ChangeList)
}

/// A changed-block list: stretches of a disk, as a JSON array of `{"offset": …, "length": …}`, or as VMware's
/// QueryChangedDiskAreas gives it, an object whose `changedArea` is an array of `{"start": …, "length": …}`.
struct ChangeList: Equatable, Sendable {
    /// Why a text is no list.
    struct Fault: Error, Equatable, CustomStringConvertible {
        var description: String
    }

    private struct Area: Decodable {
        var offset: Int64?
        var start: Int64?
        var length: Int64
    }

    private struct DiskChangeInfo: Decodable {
        var changedArea: [Area]
        var startOffset: Int64?
        var length: Int64?

        /// What the answer is about. nil: it does not say.
        var covered: Range<Int64>? {
            guard let length, length >= 0 else { return nil }
            let start = max(0, startOffset ?? 0)
            let (end, isTooLarge) = start.addingReportingOverflow(length)
            return start..<(isTooLarge ? Int64.max : end)
        }
    }

    /// In the file's order; they may overlap.
    var areas: [Range<Int64>]
    /// What of the disk it tells of: one answer of VMware's need not reach the disk's end. nil: all.
    var covered: Range<Int64>?

    init(areas: [Range<Int64>], covered: Range<Int64>? = nil) {
        self.areas = areas
        self.covered = covered
    }

    /// Reads a file's content.
    ///
    /// - Throws: `Fault` with the place in the list.
    init(json: Data) throws(Fault) {
        let decoder = JSONDecoder()
        let list: [Area]
        do {
            // A list may have a million entries: it is not read twice.
            if json.first(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) == UInt8(ascii: "{") {
                let answer = try decoder.decode(DiskChangeInfo.self, from: json)
                list = answer.changedArea
                covered = answer.covered
            } else {
                list = try decoder.decode([Area].self, from: json)
            }
        } catch {
            throw Fault(
                description: "must be an array of {\"offset\": bytes, \"length\": bytes}, or an object whose "
                    + "changedArea is an array of {\"start\": bytes, \"length\": bytes}"
            )
        }
        var areas: [Range<Int64>] = []
        for (index, area) in list.enumerated() {
            guard let offset = area.offset ?? area.start else {
                throw Fault(description: "entry \(index) has neither offset nor start")
            }
            let (end, isTooLarge) = offset.addingReportingOverflow(area.length)
            guard offset >= 0, area.length >= 0, !isTooLarge else {
                throw Fault(description: "entry \(index) must have an offset and a length of 0 or more bytes")
            }
            areas.append(offset..<end)
        }
        self.areas = areas
    }

    /// The regions to copy: in rising order, merged, and grown to whole blocks.
    ///
    /// - Throws: `Fault` if an area reaches beyond the disk, or the list tells of a part of it only: what changed
    ///   elsewhere would stay old on the target.
    func regions(size: Int64, blockSize: Int64) throws(Fault) -> [Range<Int64>] {
        if let covered, covered.lowerBound > 0 || covered.upperBound < size {
            throw Fault(
                description:
                    "it tells of bytes \(covered.lowerBound) to \(covered.upperBound) of the disk's \(size) only; "
                    + "query the rest too, and give all areas as one array"
            )
        }
        var regions: [Range<Int64>] = []
        for area in areas.sorted(by: { $0.lowerBound < $1.lowerBound }) where !area.isEmpty {
            guard area.upperBound <= size else {
                throw Fault(
                    description:
                        "the area of \(area.count) bytes at offset \(area.lowerBound) reaches beyond "
                        + "the disk's \(size) bytes; is the list another disk's?"
                )
            }
            let start = area.lowerBound / blockSize * blockSize
            let end = min(size, (area.upperBound + blockSize - 1) / blockSize * blockSize)
            if let last = regions.last, last.upperBound >= start {
                regions[regions.count - 1] = last.lowerBound..<max(last.upperBound, end)
            } else {
                regions.append(start..<end)
            }
        }
        return regions
    }
}

/// Reads a dirty bitmap off a server.
final class BitmapReader: NBDListener {
    // One answer may not be able to tell of more; the protocol's length has 32 bits.
    private static let questionLengthMax: Int64 = 2 << 30
    private static let answerMillisecondsMax: Int64 = 60_000

    private let context: String
    private var offset: Int64 = 0
    private var end: Int64 = 0
    private var areas: [Range<Int64>] = []
    private var outcome: Int32?

    private init(context: String) {
        self.context = context
    }

    /// What the bitmap calls changed. Blocks. The connection must have asked for the bitmap's context.
    ///
    /// - Throws: `NBDError` where the server cannot be asked, or has no such bitmap.
    static func read(
        _ name: String,
        over connection: NBDConnection,
        isStopped: () -> Bool
    ) throws(NBDError) -> ChangeList {
        let context = NBDContext.dirtyBitmap(name)
        guard connection.export.contexts.contains(context) else {
            throw NBDError(
                operation: "read the dirty bitmap",
                code: 0,
                message: "the server exports no dirty bitmap called \(name)"
            )
        }
        let reader = BitmapReader(context: context)
        try reader.read(connection, isStopped: isStopped)
        return ChangeList(areas: reader.areas)
    }

    private func read(_ connection: NBDConnection, isStopped: () -> Bool) throws(NBDError) {
        let size = connection.export.size
        while offset < size {
            let start = offset
            end = min(size, start + Self.questionLengthMax)
            outcome = nil
            try connection.blockStatus(offset: start, byteCount: end - start, token: 0, self)
            let deadline = MonotonicClock.nowMilliseconds + Self.answerMillisecondsMax
            while outcome == nil {
                NBDConnection.wait(for: [connection], milliseconds: 100)
                guard !isStopped(), MonotonicClock.nowMilliseconds < deadline else {
                    throw NBDError(operation: "block status", code: 0, message: "it was given up")
                }
            }
            guard outcome == 0, offset > start else {
                throw NBDError(
                    operation: "block status",
                    code: outcome ?? 0,
                    message: "the server does not tell the bitmap at offset \(start)"
                )
            }
        }
    }

    func told(token: Int, context: String, extents: [NBDExtent]) {
        guard context == self.context else { return }
        for extent in extents where offset < end {
            let stop = min(end, offset + extent.length)
            if extent.isDirty { areas.append(offset..<stop) }
            offset = stop
        }
    }

    func ended(token: Int, errorNumber: Int32) {
        outcome = errorNumber
    }
}
