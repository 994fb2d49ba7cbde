import JobModel
import Testing

@testable import TelemetryContract

@Suite struct `Hostile bytes` {
    private let valid = Array(
        Body.text(Body.report, "error", #"{"message":"a\"\u00e9\ud83d\ude00é😀","code":-1.5e+3}"#).utf8
    )

    private func bodyWithUnknown(_ value: [UInt8]) -> [UInt8] {
        Array(Body.text(Body.report).utf8.dropLast()) + Array(#","x":"#.utf8) + value + [UInt8(ascii: "}")]
    }

    @Test func `that are a valid body cut off anywhere are refused as malformed`() throws {
        for count in 0..<valid.count {
            #expect(try report(Array(valid[..<count])) == .malformed, "cut to \(count) bytes")
        }
        guard case .message = try report(valid) else {
            Issue.record("the whole body was refused")
            return
        }
    }

    @Test func `that are a mutated body never crash the decoders`() throws {
        let seed = newSeed("mutations")
        var random = SplitMix64(seed: seed)
        let bodies =
            [Body.report, Body.completion, Body.registration].map { Array(Body.text($0).utf8) } + [valid]
        let id = try testJob()
        for _ in 0..<30_000 {
            var bytes = bodies[Int.random(in: 0..<bodies.count, using: &random)]
            mutate(&bytes, using: &random)
            _ = try report(bytes)
            _ = outcome { () throws(ContractError) in
                try TelemetryDecoder.completion(body: bytes.span, jobID: id)
            }
            _ = outcome { () throws(ContractError) in try TelemetryDecoder.registration(body: bytes.span) }
        }
    }

    @Test(
        arguments: [
            [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE0, 0x80, 0x80],
            [0xE2, 0x82],
            [0xE2, 0x28, 0xA1], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF0, 0x80, 0x80, 0x80],
            [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFE], [0xFF],
        ] as [[UInt8]]
    )
    func `that are not UTF-8 are refused in values and names`(bytes: [UInt8]) throws {
        let quote = UInt8(ascii: "\"")
        #expect(try report(bodyWithUnknown([quote] + bytes + [quote])) == .malformed)
        let name = Array("{\"".utf8) + bytes + Array("\":1}".utf8)
        #expect(try report(bodyWithUnknown(name)) == .malformed)
    }

    @Test(
        arguments: [
            [0xC2, 0x80], [0xDF, 0xBF], [0xE0, 0xA0, 0x80], [0xED, 0x9F, 0xBF], [0xEE, 0x80, 0x80],
            [0xEF, 0xBF, 0xBF], [0xF0, 0x90, 0x80, 0x80], [0xF4, 0x8F, 0xBF, 0xBF], [0x7F],
        ] as [[UInt8]]
    )
    func `that are UTF-8 at its borders are taken`(bytes: [UInt8]) throws {
        let quote = UInt8(ascii: "\"")
        guard case .message = try report(bodyWithUnknown([quote] + bytes + [quote])) else {
            Issue.record("\(bytes)")
            return
        }
    }

    @Test(arguments: [
        "01", "-01", "+1", "-", ".5", "1.", "1.e1", "1e", "1e+", "0x1", "NaN", "Infinity", "-Infinity", "1_0",
        "nul", "nulll", "True", "tru", "'a'", "[1,]", "[,1]", "[1 2]", "[1", "[", "]", "{", "}", "{a:1}",
        #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{,"a":1}"#, #"{"a":1 "b":2}"#, #"{"a" 1}"#, "{1:2}", "",
        #""a"#, #""\x""#, #""\u12""#, #""\u12G4""#, #""\uD800""#, #""\uDC00""#, #""\uD800x""#, #""\uD800\n""#,
        #""\uD800\u0041""#, #""\uD800\uD800""#, #""\"#, "\"\u{1}\"", "\"\n\"", "\"\u{0}\"", "/*c*/1", "1//c",
        "\u{FEFF}1", "\u{A0}1", "\u{B}1", "1}",
    ])
    func `that are no JSON value are refused`(value: String) throws {
        #expect(try report(bodyWithUnknown(Array(value.utf8))) == .malformed, "\(value)")
    }

    @Test(arguments: [
        #"{"a":1,"a":1}"#, #"{"a":1,"b":{},"a":2}"#, #"{"\u0061":1,"a":2}"#, #"{"":1,"":2}"#,
        #"[{"é":1,"\u00e9":1}]"#,
    ])
    func `with a name twice in one object are refused`(value: String) throws {
        #expect(try report(bodyWithUnknown(Array(value.utf8))) == .malformed)
    }

    @Test(arguments: ["status", #"s\u0074atus"#, "\\u0073\\u0074\\u0061\\u0074\\u0075\\u0073"])
    func `with a known name twice are refused however it is written`(name: String) throws {
        let text = Body.text(Body.report).dropLast() + ",\"\(name)\":\"running\"}"
        #expect(try report(String(text)) == .malformed)
    }

    @Test func `with a known name twice are refused where the contract's order expects it`() throws {
        var members = Body.report
        let type = try #require(members.firstIndex { $0.0 == "job_type" })
        let id = try #require(members.firstIndex { $0.0 == "job_id" })
        // The type is what comes behind the id.
        members = [members[type], members[id], members[type]] + members.filter { !$0.0.hasPrefix("job_") }
        #expect(try report(Body.text(members)) == .malformed)
    }

    @Test func `may have one name in two objects`() throws {
        let value = #"[{"a":{"a":1}},{"a":2},{"status":3}]"#
        guard case .message = try report(bodyWithUnknown(Array(value.utf8))) else {
            Issue.record("refused")
            return
        }
    }

    @Test(arguments: [("[", "]"), (#"{"a":"#, "}")])
    func `are refused beyond 32 levels`(open: String, close: String) throws {
        for (levels, isTaken) in [(30, true), (31, true), (32, false), (30_000, false)] {
            let value = String(repeating: open, count: levels) + "0" + String(repeating: close, count: levels)
            let outcome = try report(bodyWithUnknown(Array(value.utf8)))
            #expect((outcome != .malformed) == isTaken, "\(levels) levels and the body's own")
        }
    }

    @Test func `are refused beyond the limits of objects, arrays and strings`() throws {
        func value(_ open: String, _ count: Int, _ close: String, _ part: (Int) -> String) -> [UInt8] {
            Array((open + (0..<count).map(part).joined(separator: ",") + close).utf8)
        }
        func isTaken(_ value: [UInt8]) throws -> Bool { try report(bodyWithUnknown(value)) != .malformed }
        #expect(try isTaken(value("{", 256, "}") { "\"\($0)\":0" }))
        #expect(try !isTaken(value("{", 257, "}") { "\"\($0)\":0" }))
        #expect(try isTaken(value("[", 4096, "]") { "\($0)" }))
        #expect(try !isTaken(value("[", 4097, "]") { "\($0)" }))
        #expect(try isTaken(value("\"", 1, "\"") { _ in String(repeating: "x", count: 65_536) }))
        #expect(try !isTaken(value("\"", 1, "\"") { _ in String(repeating: "x", count: 65_537) }))
    }

    @Test func `behind the value are refused, whitespace apart`() throws {
        let text = Body.text(Body.report)
        for tail in ["x", "{}", ",", "\u{0}", "]"] { #expect(try report(text + tail) == .malformed) }
        guard case .message = try report(" \t\r\n" + text + " \t\r\n") else {
            Issue.record("whitespace was refused")
            return
        }
        #expect(try report("\u{FEFF}" + text) == .malformed)
    }

    @Test func `are told where they go wrong`() throws {
        let id = try testJob()
        let error = #expect(throws: ContractError.self) {
            try TelemetryDecoder.report(body: Array(#"{"a":01}"#.utf8).span, jobType: "backup", jobID: id)
        }
        let detail = "the body is not valid JSON: a number has a zero in front, at byte 5"
        #expect(error?.problems.map(\.detail) == [detail])
    }

    @Test func `with numbers of sixty thousand digits are read in their turn`() throws {
        let digits = String(repeating: "9", count: 60_000)
        #expect(
            try report(Body.text(Body.report, "bytes_transferred", digits))
                == .invalid(["/bytes_transferred"])
        )
        let zeros = String(repeating: "0", count: 60_000)
        guard
            case .message(let small) = try report(
                Body.text(Body.report, "bytes_transferred", "7\(zeros)e-60000")
            )
        else {
            Issue.record("7 was refused")
            return
        }
        #expect(small.bytes == 7)
        guard
            case .message(let tiny) = try report(
                Body.text(Body.report, "bytes_transferred", "0.\(zeros)7e60001")
            )
        else {
            Issue.record("0.7e1 was refused")
            return
        }
        #expect(tiny.bytes == 7)
    }
}

/// Changes, drops, doubles or inserts a few bytes, often ones that mean something in JSON.
func mutate(_ bytes: inout [UInt8], using random: inout SplitMix64) {
    let telling = Array(#"{}[]":,\ue0-+.1"#.utf8) + [0, 0x1F, 0x80, 0xC3, 0xED, 0xF4, 0xFF]
    for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        let byte = Bool.random(using: &random) ? telling.randomElement(using: &random) : random.next().asByte
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes[place] = byte ?? 0
        case 1: bytes.remove(at: place)
        case 2: bytes.insert(byte ?? 0, at: place)
        case 3:
            let end = min(place + Int.random(in: 1...30, using: &random), bytes.count)
            let target = Int.random(in: 0...bytes.count, using: &random)
            bytes.insert(contentsOf: bytes[place..<end], at: target)
        default: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        }
    }
}

extension UInt64 {
    fileprivate var asByte: UInt8 { UInt8(truncatingIfNeeded: self) }
}
