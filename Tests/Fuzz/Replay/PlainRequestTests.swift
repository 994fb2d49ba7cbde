import NIOCore
import NIOEmbedded
import NIOHTTP1
import TestSupport
import Testing

@testable import Ingest

/// Requests that are read without NIO's decoder.
@Suite struct PlainRequestTests {
    /// A request as NIO's decoder reads it.
    private struct Decoded: Equatable {
        var method: String
        var target: String
        var body: [UInt8]
        var keepsAlive: Bool
    }

    /// All requests in the bytes. nil if there is something else, or the end of a request is missing.
    private static func decode(_ bytes: [UInt8]) throws -> [Decoded]? {
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        guard (try? channel.writeInbound(ByteBuffer(bytes: bytes))) != nil else { return nil }
        var requests: [Decoded] = []
        var isWhole = true
        while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let head):
                isWhole = false
                requests.append(
                    Decoded(
                        method: head.method.rawValue,
                        target: head.uri,
                        body: [],
                        keepsAlive: head.isKeepAlive
                    )
                )
            case .body(let buffer): requests[requests.count - 1].body += buffer.readableBytesView
            case .end: isWhole = true
            }
        }
        return isWhole ? requests : nil
    }

    private static func read(_ text: String, _ limits: DoorLimits = DoorLimits()) -> PlainRequest.Reading {
        PlainRequest.read(Array(text.utf8).span, limits)
    }

    private static let post =
        "POST /api/v1/telemetry/backup/a?b=c HTTP/1.1\r\nHost: hub\r\nContent-Length: 2\r\n\r\n{}"

    @Test func `a plain request is read with its path and body, and no byte behind it`() throws {
        let bytes = Array((Self.post + Self.post).utf8)
        guard case .whole(let request) = PlainRequest.read(bytes.span, DoorLimits()) else {
            Issue.record("\(PlainRequest.read(bytes.span, DoorLimits()))")
            return
        }
        #expect(request.method == "POST" && request.byteCount == bytes.count / 2)
        #expect(String(decoding: bytes[request.path], as: UTF8.self) == "/api/v1/telemetry/backup/a")
        #expect(String(decoding: bytes[request.body], as: UTF8.self) == "{}")
    }

    @Test func `each beginning of a plain request waits for more, and not for what is not to come`() {
        let bytes = Array(Self.post.utf8)
        for end in 0..<bytes.count {
            guard case .cut(let count) = PlainRequest.read(Array(bytes[..<end]).span, DoorLimits()) else {
                Issue.record("\(end) bytes")
                continue
            }
            #expect((end + 1...bytes.count).contains(count))
        }
    }

    /// What servers have read in two ways, and what the door has to answer in a way of its own.
    @Test(arguments: [
        "POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "POST / HTTP/1.1\r\nContent-Length: 2\r\ncontent-length: 0\r\n\r\n{}",
        "POST / HTTP/1.1\r\nContent-Length: 2, 2\r\n\r\n{}",
        "POST / HTTP/1.1\r\nContent-Length: +2\r\n\r\n{}",
        "POST / HTTP/1.1\r\nContent-Length: 2 \r\n\r\n{}", "POST / HTTP/1.1\r\nContent-Length:\t2\r\n\r\n{}",
        "POST / HTTP/1.1\r\nContent-Length: -2\r\n\r\n{}", "POST / HTTP/1.1\r\nContent-Length: 0x2\r\n\r\n{}",
        "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n{}",
        "POST / HTTP/1.1\r\nContent-Length: 18446744073709551618\r\n\r\n{}",
        "POST / HTTP/1.1\r\nContent-Length : 2\r\n\r\n{}", "POST / HTTP/1.1\r\n Content-Length: 2\r\n\r\n{}",
        "POST / HTTP/1.1\r\nX: a\r\n b\r\n\r\n", "POST / HTTP/1.1\nHost: hub\n\n",
        "POST / HTTP/1.1\r\nX: a\n\r\n",
        "POST / HTTP/1.1\r\nX: a\rb\r\n\r\n", "POST / HTTP/1.1\r\nX: \u{0}\r\n\r\n",
        "POST / HTTP/1.1\r\nX: ö\r\n\r\n",
        "POST / HTTP/1.1\r\n: a\r\n\r\n", "POST / HTTP/1.1\r\nX\r\n\r\n", "POST / HTTP/1.1\r\nX(: a\r\n\r\n",
        "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nConnection: keep-alive, upgrade\r\n\r\n",
        "GET / HTTP/1.1\r\nProxy-Connection: close\r\n\r\n", "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n",
        "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.2\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "GET /\r\n\r\n",
        "HEAD / HTTP/1.1\r\n\r\n", "PUT / HTTP/1.1\r\n\r\n", "CONNECT hub:80 HTTP/1.1\r\n\r\n",
        "get / HTTP/1.1\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n", "GET /  HTTP/1.1\r\n\r\n", "GET /\u{7F} HTTP/1.1\r\n\r\n",
        "GET /a#b HTTP/1.1\r\n\r\n",
        "GET http://hub/ HTTP/1.1\r\n\r\n", "GET * HTTP/1.1\r\n\r\n", "\r\nGET / HTTP/1.1\r\n\r\n",
        "\u{16}\u{3}\u{1}",
    ])
    func `what is not plain is left to the decoder`(text: String) {
        #expect(Self.read(text) == .other)
    }

    @Test func `what is beyond a limit is left to the decoder, which refuses it`() {
        let limits = DoorLimits(bodyByteCountMax: 10, headerByteCountMax: 100, targetByteCountMax: 20)
        func post(target: String = "/", header: String = "a", count: Int = 10) -> String {
            "POST \(target) HTTP/1.1\r\nX: \(header)\r\nContent-Length: \(count)\r\n\r\n0123456789"
        }
        #expect(Self.read(post(), limits) != .other)
        #expect(Self.read(post(count: 11), limits) == .other)
        #expect(Self.read(post(target: "/" + String(repeating: "a", count: 20)), limits) == .other)
        #expect(Self.read(post(header: String(repeating: "a", count: 100)), limits) == .other)
        #expect(Self.read("GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 5000)) == .other)
        #expect(Self.read("GET / HTTP/1.1\r\n" + String(repeating: "X: a\r\n", count: 65) + "\r\n") == .other)
    }

    @Test(arguments: 0..<17)
    func `bytes that are looked at together are judged as one by one`(place: Int) {
        for byte in UInt8.min ... .max {
            var bytes = Array("localhost:8082.aZ".utf8)
            bytes[place] = byte
            let isVisible = byte >= 0x20 && byte <= 0x7E
            #expect(bytes.span.endOfVisibleText(from: 0) == (isVisible ? bytes.count : place), "\(byte)")
            let isLetter = UnicodeScalar(byte).properties.isAlphabetic && byte < 0x80
            let isWanted = isLetter || byte >= UInt8(ascii: "-") && byte <= UInt8(ascii: ":")
            // The last byte is not looked at: it is alone.
            let end = isWanted || place == 16 ? 16 : place
            #expect(bytes.span.endOfLetters(orFrom: "-", to: ":", from: 0) == end, "\(byte)")
        }
    }

    /// Pieces that make requests, right and wrong ones.
    private static let pieces = [
        "POST ", "GET ", "HEAD ", "/", "/api/v1/backups", "?a=b", "%2F", " HTTP/1.1", " HTTP/1.0", "\r\n",
        "\r\n", "\r\n\r\n",
        "\n", " ", "\t", ":", "Host: hub\r\n", "Content-Length: 2\r\n", "content-length:0\r\n",
        "Content-Length: 02\r\n",
        "Connection: keep-alive\r\n", "Connection: close\r\n", "Transfer-Encoding: chunked\r\n", "X-A: b\r\n",
        "{}", "ab", "\u{0}",
    ]

    @Test(arguments: UInt64(0)..<64)
    func `whatever is read as plain the decoder reads the same, with nothing left over`(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        var wholeCount = 0
        for _ in 0..<200 {
            var text = Bool.random(using: &generator) ? "POST /a HTTP/1.1\r\n" : ""
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                text += Self.pieces.randomElement(using: &generator) ?? ""
            }
            let bytes = Array(text.utf8)
            guard case .whole(let request) = PlainRequest.read(bytes.span, DoorLimits()) else { continue }
            wholeCount += 1
            let decoded = try #require(try Self.decode(Array(bytes[..<request.byteCount])), "\(text)")
            #expect(decoded.count == 1, "\(text)")
            let seen = try #require(decoded.first)
            #expect(seen.method == request.method && seen.keepsAlive, "\(text)")
            #expect(seen.target.prefix { $0 != "?" } == String(decoding: bytes[request.path], as: UTF8.self))
            #expect(seen.body == Array(bytes[request.body]), "\(text)")
        }
        #expect(wholeCount > 0)
    }
}
