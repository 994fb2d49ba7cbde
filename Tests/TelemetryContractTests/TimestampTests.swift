import Foundation
import Testing

@testable import TelemetryContract

private func milliseconds(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    return RFC3339.milliseconds(bytes.span)
}

@Suite struct `A timestamp` {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2025-10-10T14:23:45Z", 1_760_106_225_000),
            ("2025-10-10t14:23:45z", 1_760_106_225_000), ("2025-10-10T11:23:45-03:00", 1_760_106_225_000),
            ("2025-10-11T14:22:45+23:59", 1_760_106_225_000),
            ("2025-10-10T14:23:45-00:00", 1_760_106_225_000),
            ("2025-10-10T14:23:45.5Z", 1_760_106_225_500),
            ("2025-10-10T14:23:45.1239999Z", 1_760_106_225_123),
            ("2025-10-10T14:23:45.123456789123456789Z", 1_760_106_225_123), ("1969-12-31T23:59:59.999Z", -1),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000), ("2017-01-01T05:29:60.25+05:30", 1_483_228_800_250),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000), ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000), ("9999-12-31T23:59:59Z", 253_402_300_799_000),
        ] as [(String, Int64)]
    )
    func `is read as this instant`(text: String, expected: Int64) {
        #expect(milliseconds(text) == expected)
    }

    @Test(arguments: [
        "", "2025", "2025-10-10", "2025-10-10T14:23:45", "2025-10-10 14:23:45Z", "2025-10-10T14:23Z",
        "2025-13-10T14:23:45Z", "2025-00-10T14:23:45Z", "2025-10-00T14:23:45Z", "2025-10-32T14:23:45Z",
        "2025-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2025-04-31T00:00:00Z", "2025-10-10T24:00:00Z",
        "2025-10-10T14:60:00Z", "2025-10-10T14:23:61Z", "2025-10-10T14:23:60Z", "2016-12-31T23:59:60+01:00",
        "2025-10-10T14:23:45.Z", "2025-10-10T14:23:45,5Z", "2025-10-10T14:23:45+0300",
        "2025-10-10T14:23:45+03",
        "2025-10-10T14:23:45+24:00", "2025-10-10T14:23:45+03:60", "2025-10-10T14:23:45Zx",
        "x2025-10-10T14:23:45Z",
        "25-10-10T14:23:45Z", "+2025-10-10T14:23:45Z", "2025-10-10T14:23:45 Z", "2025-1-10T14:23:45Z",
        "２025-10-10T14:23:45Z",
    ])
    func `is refused`(text: String) {
        #expect(milliseconds(text) == nil)
    }

    @Test func `is written as Foundation writes it, and read back`() {
        var random = SplitMix64(seed: newSeed("timestamps"))
        for _ in 0..<5000 {
            let second = Int64.random(in: -12_000_000_000..<253_402_300_800, using: &random)
            let rest = Int64.random(in: 0..<1000, using: &random)
            let text = RFC3339.text(milliseconds: second * 1000 + rest)
            #expect(milliseconds(text) == second * 1000, "\(second) is written \(text)")
            #expect(text == Date(timeIntervalSince1970: Double(second)).ISO8601Format(), "\(second)")
        }
    }

    @Test func `of every day in 8000 years is its own`() {
        var expected: Int64 = -62_167_219_200_000
        while expected < 190_000_000_000_000 {
            let text = RFC3339.text(milliseconds: expected)
            guard milliseconds(text) == expected else {
                Issue.record("\(text) is not \(expected)")
                return
            }
            expected += 86_400_000
        }
    }

    @Test(arguments: [(Int64.min, "0000-01-01T00:00:00Z"), (Int64.max, "9999-12-31T23:59:59Z")])
    func `beyond four digits of year is written as the nearest`(milliseconds: Int64, text: String) {
        #expect(RFC3339.text(milliseconds: milliseconds) == text)
    }
}
