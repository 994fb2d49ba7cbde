/// A request in the form that nearly all clients send: `GET` or `POST`, HTTP/1.1, and no header that changes how its
/// bytes are to be read or answered.
///
/// The form is so narrow that there is one way to read it. What is not exactly so is not refused here, but left to NIO's
/// decoder, from its first byte on.
struct PlainRequest: Equatable {
    /// What bytes are, read as a request.
    enum Reading: Equatable {
        case whole(PlainRequest)
        /// The beginning of one; there is nothing new to see before so many bytes are there.
        case cut(byteCountMin: Int)
        /// Something else.
        case other
    }

    /// GET or POST.
    var method: String
    /// Where the path lies in the bytes, without the query.
    var path: Range<Int>
    /// Where the body lies in the bytes.
    var body: Range<Int>

    /// The bytes of the request, all in all.
    var byteCount: Int { body.upperBound }

    /// Reads the request at the beginning of the bytes.
    static func read(_ bytes: Span<UInt8>, _ limits: DoorLimits) -> Reading {
        let head: PlainHead
        do {
            head = try PlainHead(bytes, limits)
        } catch .cut {
            return .cut(byteCountMin: bytes.count + 1)
        } catch {
            return .other
        }
        let end = head.byteCount + head.bodyByteCount
        guard bytes.count >= end else { return .cut(byteCountMin: end) }
        return .whole(PlainRequest(method: head.method, path: head.path, body: head.byteCount..<end))
    }
}

/// All of a plain request but its body.
private struct PlainHead {
    /// Why bytes are no head.
    enum Stop: Error {
        /// They end before it does.
        case cut
        /// There is something that a plain head does not have.
        case other
    }

    /// The longest head that is read here, in bytes: far below the door's limit. What comes in small pieces is read from
    /// its beginning each time.
    private static let byteCountMax = 4096
    /// The most headers that are read here.
    private static let headerCountMax = 64

    private(set) var method = ""
    private(set) var path = 0..<0
    private(set) var bodyByteCount = 0
    /// Where the next byte is; in the end, how many bytes the head has.
    private var index = 0
    private var hasLength = false

    var byteCount: Int { index }

    init(_ bytes: Span<UInt8>, _ limits: DoorLimits) throws(Stop) {
        let bytes = bytes.extracting(first: Self.byteCountMax)
        try requestLine(in: bytes, limits)
        var headerCount = 0
        while try peek(bytes) != UInt8(ascii: "\r") {
            headerCount += 1
            guard headerCount <= Self.headerCountMax else { throw .other }
            try header(in: bytes, limits)
        }
        try take("\r\n", bytes)
        guard index <= limits.headerByteCountMax else { throw .other }
    }

    private mutating func requestLine(in bytes: Span<UInt8>, _ limits: DoorLimits) throws(Stop) {
        if try peek(bytes) == UInt8(ascii: "P") {
            try take("POST ", bytes)
            method = "POST"
        } else {
            try take("GET ", bytes)
            method = "GET"
        }
        let start = index
        guard try peek(bytes) == UInt8(ascii: "/") else { throw .other }
        // A path is mostly these; eight are looked at together, the others one by one.
        index = bytes.endOfLetters(orFrom: "-", to: ":", from: index)
        if try peek(bytes) != UInt8(ascii: " ") { try skip(.pathBytes, bytes) }
        path = start..<index
        if try peek(bytes) == UInt8(ascii: "?") {
            index += 1
            try skip(.queryBytes, bytes)
        }
        guard index - start <= limits.targetByteCountMax else { throw .other }
        try take(" HTTP/1.1\r\n", bytes)
    }

    private mutating func header(in bytes: Span<UInt8>, _ limits: DoorLimits) throws(Stop) {
        let name = index
        index = bytes.endOfLetters(orFrom: "-", to: "-", from: index)
        if try peek(bytes) != UInt8(ascii: ":") { try skip(.tokenBytes, bytes) }
        let nameEnd = index
        guard nameEnd > name else { throw .other }
        try take(":", bytes)
        while try peek(bytes) == UInt8(ascii: " ") { index += 1 }
        let value = index
        index = bytes.endOfVisibleText(from: index)
        _ = try peek(bytes)
        let valueEnd = index
        try take("\r\n", bytes)
        switch nameEnd - name {
        case 14 where bytes.extracting(name..<nameEnd).isText("content-length"):
            // Two of them, or anything but digits: somebody may read it otherwise.
            guard !hasLength, let count = Self.number(bytes.extracting(value..<valueEnd)),
                count <= limits.bodyByteCountMax
            else { throw .other }
            hasLength = true
            bodyByteCount = count
        case 10 where bytes.extracting(name..<nameEnd).isText("connection"):
            guard bytes.extracting(value..<valueEnd).isText("keep-alive") else { throw .other }
        case 6 where bytes.extracting(name..<nameEnd).isText("expect"),
            7 where bytes.extracting(name..<nameEnd).isText("upgrade"),
            17 where bytes.extracting(name..<nameEnd).isText("transfer-encoding"),
            16 where bytes.extracting(name..<nameEnd).isText("proxy-connection"):
            throw .other
        default:
            break
        }
    }

    /// One to seven digits.
    private static func number(_ bytes: Span<UInt8>) -> Int? {
        guard (1...7).contains(bytes.count) else { return nil }
        var number = 0
        for index in bytes.indices {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            number = number * 10 + Int(digit)
        }
        return number
    }

    // MARK: Bytes

    private func peek(_ bytes: Span<UInt8>) throws(Stop) -> UInt8 {
        guard index < bytes.count else { throw bytes.count < Self.byteCountMax ? .cut : .other }
        return bytes[index]
    }

    @inline(__always)
    private mutating func take(_ text: StaticString, _ bytes: Span<UInt8>) throws(Stop) {
        guard bytes.has(text, at: index) else { return try takeBytewise(text, bytes) }
        index += text.utf8CodeUnitCount
    }

    /// It is cut, or another one.
    private mutating func takeBytewise(_ text: StaticString, _ bytes: Span<UInt8>) throws(Stop) {
        for place in 0..<text.utf8CodeUnitCount {
            guard unsafe text.utf8Start[place] == (try peek(bytes)) else { throw .other }
            index += 1
        }
    }

    private mutating func skip(_ set: ByteSet, _ bytes: Span<UInt8>) throws(Stop) {
        while set.contains(try peek(bytes)) { index += 1 }
    }
}
