import JobModel
import TestSupport
import Testing

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
    @Test func `agree on generated and on mutated bodies`() throws {
        let seed = newSeed("oracle")
        var random = SplitMix64(seed: seed)
        let id = try testJob()
        var agreed = 0
        var refused = 0
        for round in 0..<5000 {
            var bytes = Array(Body.random(using: &random).utf8)
            if round % 3 > 0 { mutate(&bytes, using: &random) }
            switch ContractOracle(bytes).report(jobType: "backup", jobID: id) {
            case .agreed: agreed += 1
            case .refused: refused += 1
            case .disagreed(let how):
                let body = String(decoding: bytes, as: UTF8.self)
                Issue.record("TEST_SEED=\(seed), round \(round): \(how): \(body) \(bytes)")
            }
        }
        #expect(agreed > 500, "too few valid bodies to mean anything")
        #expect(refused > 1000, "too few refused bodies to mean anything")
    }
}
