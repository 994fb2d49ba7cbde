import Foundation
import JobModel
import Testing

@testable import TelemetryContract

// Foundation's JSONDecoder is the oracle: it shares no code with our reader. Generated and mutated bodies go
// to both. What Foundation cannot parse we have to refuse as malformed; what it can parse we have to parse
// too, and decode to the same values. The exceptions are where we are stricter on purpose: a name that occurs
// twice, a comma before a closing brace or bracket, a byte order mark, the limits on depth, members, elements and string
// length; and where Foundation is: numbers beyond 10^127, the end of Decimal.

/// A JSON tree as Foundation reads it, numbers as Decimal.
private enum Tree: Decodable, Equatable {
    case null, bool(Bool), number(Decimal), string(String), array([Tree]), object([String: Tree])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let bool = try? container.decode(Bool.self) {
            self = .bool(bool)
        } else if let string = try? container.decode(String.self) {
            self = .string(string)
        } else if let array = try? container.decode([Tree].self) {
            self = .array(array)
        } else if let object = try? container.decode([String: Tree].self) {
            self = .object(object)
        } else {
            self = .number(try container.decode(Decimal.self))
        }
    }

    var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    var number: Decimal? {
        guard case .number(let number) = self else { return nil }
        return number
    }

    /// The number, rounded down; nil if it is none or does not fit.
    func whole(timesTenTo power: Int = 0) -> Int64? {
        guard let number else { return nil }
        var product = number * pow(10, power)
        var rounded = Decimal()
        unsafe NSDecimalRound(&rounded, &product, 0, .down)
        return Int64("\(rounded)")
    }
}

extension Body {
    /// A body with random values, most of them valid.
    fileprivate static func random(using random: inout SplitMix64) -> String {
        var members = Body.report
        for index in members.indices where Int.random(in: 0..<40, using: &random) == 0 {
            members[index].1 = Self.values.randomElement(using: &random) ?? "null"
        }
        for name in [
            "bytes_transferred", "total_bytes", "transfer_speed_bps", "eta_seconds", "progress_percent",
        ] {
            guard let index = members.firstIndex(where: { $0.0 == name }), Bool.random(using: &random) else {
                continue
            }
            members[index].1 = number(using: &random)
        }
        if Bool.random(using: &random) { members.shuffle(using: &random) }
        if Bool.random(using: &random) {
            members.append(("unknown", values.randomElement(using: &random) ?? "0"))
        }
        return Body.text(members)
    }

    private static let values = [
        "null", "true", "0", "-1", "1.5", "[]", "{}", #""""#, #""text""#, #""\u0041\n\uD83D\uDE00é""#,
        #"{"message":"m\u0000","code":1.50}"#, #"[1,[2,{"a":[]}]]"#, #""completed""#, "1e2", "12e-1",
    ]

    private static func number(using random: inout SplitMix64) -> String {
        let whole = random.next() >> UInt64.random(in: 0..<64, using: &random)
        switch Int.random(in: 0..<40, using: &random) {
        case 5..<30: return "\(whole >> 1)"
        case 0: return "\(whole)"
        case 1: return "\(whole % 1_000_000_000).\(Int.random(in: 0..<1000, using: &random))"
        case 2: return "\(whole % 1000)e\(Int.random(in: -3...18, using: &random))"
        case 3:
            return
                "\(whole % 1000).\(whole % 89)E+\(whole % 6)"
        default: return "-\(whole % 100)"
        }
    }
}

@Suite struct `Our decoder and Foundation's` {
    /// Foundation's tree of the body; nil if it cannot be parsed.
    private func parse(_ bytes: [UInt8]) -> Tree? {
        try? JSONDecoder().decode(Tree.self, from: Data(bytes))
    }

    /// Whether the fault is one that Foundation does not know.
    private func isStricter(_ error: ContractError, _ bytes: [UInt8]) -> Bool {
        let detail = error.problems.first?.detail ?? ""
        // Foundation takes a comma before a closing brace or bracket.
        if detail.contains("is due") || detail.contains("begins no value"),
            let offset = detail.split(separator: " ").last.flatMap({ Int($0) }),
            bytes.indices.contains(offset)
        {
            let before = bytes[..<offset].last { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
            let closes = [UInt8(ascii: "}"), UInt8(ascii: "]")].contains(bytes[offset])
            if closes, before == UInt8(ascii: ",") { return true }
        }
        return ["occurs twice", "nested deeper", "has more than", "byte order mark"].contains {
            detail.contains($0)
        }
    }

    /// Whether a number may be beyond Decimal, which Foundation then refuses: its exponent has three digits.
    private func hasHugeExponent(_ bytes: [UInt8]) -> Bool {
        String(decoding: bytes, as: UTF8.self).contains(/[0-9.][eE][+-]?[0-9]{3}/)
    }

    private func compare(_ bytes: [UInt8]) throws -> Bool? {
        let id = try testJob()
        let tree = parse(bytes)
        do throws(ContractError) {
            let report = try TelemetryDecoder.report(body: bytes, jobType: "backup", jobID: id)
            guard let tree else { return hasHugeExponent(bytes) ? nil : false }
            guard case .object(let members) = tree else { return false }
            return agrees(report, members)
        } catch {
            if error.kind == .malformed { return tree == nil || isStricter(error, bytes) ? nil : false }
            guard let tree else { return hasHugeExponent(bytes) ? nil : false }
            guard case .object(let members) = tree else { return error.problems.first?.pointer == "" }
            return mayRefuse(members, error.problems) ? nil : false
        }
    }

    private func agrees(_ report: Report, _ members: [String: Tree]) -> Bool {
        func same<Value: Equatable>(_ value: Value?, _ name: String, _ read: (Tree) -> Value?) -> Bool {
            guard let tree = members[name], tree != .null else { return value == nil }
            return value == read(tree)
        }
        let error = members["error"] ?? .null
        let hasError = error != .null && error.text != ""
        let texts = [
            "status": report.status.rawValue, "current_phase": report.phase, "job_id": report.jobID.rawValue,
        ]
        let percent = same(report.percentHundredths, "progress_percent") { tree in
            tree.whole(timesTenTo: 2).map { Int32(min($0, 10_000)) } ?? 10_000
        }
        let eta = same(report.etaSeconds, "eta_seconds") { tree in
            tree.whole().map { Int32(clamping: $0) } ?? .max
        }
        let integers = [
            ("bytes_transferred", report.bytes), ("total_bytes", report.total),
            ("transfer_speed_bps", report.speed),
            ("attempt", report.attempt), ("seq", report.seq),
        ]
        return percent && eta && (report.error != nil) == hasError
            && texts.allSatisfy { members[$0.key]?.text == $0.value }
            && integers.allSatisfy { name, value in same(value, name) { $0.whole() } }
            && agrees(report.disks, members["disks"] ?? .null)
    }

    private func agrees(_ disks: [DiskReport], _ tree: Tree) -> Bool {
        guard tree != .null else { return disks.isEmpty }
        guard case .array(let entries) = tree, entries.count == disks.count else { return false }
        return zip(disks, entries).allSatisfy { disk, entry in
            guard case .object(let members) = entry else { return false }
            let word = members["status"]?.text
            return members["disk_index"]?.whole() == Int64(disk.index)
                && members["bytes_transferred"]?.whole() == disk.bytes
                && members["total_bytes"]?.whole() == disk.total
                && (word == "running" ? "transferring" : word) == disk.status.rawValue
        }
    }

    /// Whether Foundation's reading of the members explains the problems: what is said to be wrong is wrong.
    private func mayRefuse(_ members: [String: Tree], _ problems: [Problem]) -> Bool {
        problems.allSatisfy { problem in
            switch problem.pointer {
            case "/bytes_transferred", "/total_bytes", "/attempt", "/seq":
                guard let tree = members[String(problem.pointer.dropFirst())] else { return true }
                guard let number = tree.number, let whole = tree.whole() else { return true }
                let least: Int64 =
                    problem.pointer.hasSuffix("bytes") || problem.pointer.hasSuffix("ferred") ? 0 : 1
                return Decimal(whole) != number || whole < least
                    || problem.pointer == "/attempt" && whole > Int32.max
            case "/transfer_speed_bps", "/eta_seconds", "/progress_percent":
                guard let number = members[String(problem.pointer.dropFirst())]?.number else { return true }
                return number < 0 || number >= pow(2, 63)
            case "/status":
                return members["status"]?.text.flatMap(ReportedStatus.init) == nil
            case "/current_phase":
                return (members["current_phase"]?.text?.unicodeScalars.count ?? 51) > 50
            case "/job_id":
                return members["job_id"]?.text != "backup-pgtest1-1760099999"
            case "/job_type":
                return members["job_type"]?.text != "backup"
            default:
                return true
            }
        }
    }

    @Test func `agree on generated and on mutated bodies`() throws {
        let seed = newSeed("oracle")
        var random = SplitMix64(seed: seed)
        var agreed = 0
        var refused = 0
        for round in 0..<5000 {
            var bytes = Array(Body.random(using: &random).utf8)
            if round % 3 > 0 { mutate(&bytes, using: &random) }
            let verdict = try compare(bytes)
            if verdict == false {
                Issue.record(
                    "TEST_SEED=\(seed), round \(round): \(String(decoding: bytes, as: UTF8.self)) \(bytes)"
                )
            }
            if verdict == true { agreed += 1 } else { refused += 1 }
        }
        #expect(agreed > 500, "too few valid bodies to mean anything")
        #expect(refused > 1000, "too few refused bodies to mean anything")
    }
}
