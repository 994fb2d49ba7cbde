import Foundation
import JobModel
import Testing

@testable import TelemetryContract

/// What is read in the plain form is what is read without it.
@Suite struct `The plain form of a telemetry message` {
    /// As the reader of all forms has it. nil: it refuses the body.
    private static func general(_ bytes: [UInt8], _ id: JobID) -> Report? {
        var fields = FieldReader(bytes.span)
        let report = try? TelemetryDecoder.readReport(
            &fields,
            TelemetryDecoder.reportVocabulary,
            jobType: "backup",
            jobID: id
        )
        guard let report, (try? fields.reader.finish()) != nil, fields.problems.isEmpty else { return nil }
        return report
    }

    private static func plain(_ bytes: [UInt8], _ id: JobID) -> Report? {
        try? TelemetryDecoder.plainReport(
            bytes.span,
            TelemetryDecoder.reportVocabulary,
            jobType: "backup",
            jobID: id
        )
    }

    private static let numbers = [
        "0", "1", "7", "00", "01", "12", "9999999", "12345678", "123456789", "65535", "65536", "2147483647",
        "2147483648", "99999999999999", "999999999999999", "1000000000000000", "9223372036854775807", "null",
        "-1", "1.5", "0.07", "42.005", "99.999999999999999999", "3.", ".5", "1e2", "2E+1", "nul", "true",
        "12345678.12345678", "123456789012345.12345678901234567", "1000000000000000.5",
    ]
    private static let texts = [
        #""pending""#, #""running""#, #""transferring""#, #""completed""#, #""failed""#, #""stalled""#,
        #""""#,
        #""backup""#, #""a\nb""#, #""größer""#, "\"\u{7F}\"", #""2025-10-10T14:23:45Z""#,
        #""2025-02-29T14:23:45Z""#, #""2025-10-10T14:23:45.678+02:00""#,
        "\"\(String(repeating: "x", count: 50))\"", "\"\(String(repeating: "x", count: 51))\"",
    ]

    private static func disks(using random: inout SplitMix64) -> String {
        let entries = (0..<Int.random(in: 0...4, using: &random)).map { place in
            let index = Int.random(in: 0..<12, using: &random) == 0 ? 0 : place
            var entry = [
                ("disk_index", "\(index)"), ("bytes_transferred", "45678901234"),
                ("total_bytes", "109521739776"),
                ("status", #""transferring""#), ("progress_percent", "42.5"),
            ]
            if Int.random(in: 0..<10, using: &random) == 0 {
                entry[Int.random(in: 0..<5, using: &random)].1 = numbers.randomElement(using: &random) ?? "0"
            }
            if Int.random(in: 0..<10, using: &random) == 0 { entry.remove(at: 4) }
            if Int.random(in: 0..<10, using: &random) == 0 { entry.shuffle(using: &random) }
            return Body.text(entry)
        }
        return "[\(entries.joined(separator: ","))]"
    }

    private static func body(using random: inout SplitMix64) -> String {
        var members = Body.report + [("error", "null"), ("age_ms", "1500")]
        members[12].1 = disks(using: &random)
        for place in members.indices where Int.random(in: 0..<20, using: &random) == 0 {
            members[place].1 = (numbers + texts).randomElement(using: &random) ?? "0"
        }
        for place in [4, 5, 6, 7, 8, 10, 11, 14] where Int.random(in: 0..<8, using: &random) == 0 {
            members[place].1 = numbers.randomElement(using: &random) ?? "0"
        }
        for _ in 0..<Int.random(in: 0...2, using: &random) {
            members.remove(at: Int.random(in: 6..<members.count, using: &random))
        }
        if Int.random(in: 0..<4, using: &random) == 0 { members.shuffle(using: &random) }
        if Int.random(in: 0..<20, using: &random) == 0 { members.append(members[0]) }
        if Int.random(in: 0..<20, using: &random) == 0 { members.removeFirst() }
        return Body.text(members)
    }

    @Test func `says of a body what the reader of all forms says, or nothing`() throws {
        let seed = newSeed("plain form")
        var random = SplitMix64(seed: seed)
        let id = try testJob()
        var (plainCount, otherCount) = (0, 0)
        for round in 0..<20_000 {
            var bytes = Array(Self.body(using: &random).utf8)
            if round % 3 == 0 { mutate(&bytes, using: &random) }
            guard let plain = Self.plain(bytes, id) else {
                otherCount += 1
                continue
            }
            plainCount += 1
            let general = Self.general(bytes, id)
            #expect(
                plain == general,
                "TEST_SEED=\(seed), round \(round): \(String(decoding: bytes, as: UTF8.self))"
            )
        }
        #expect(plainCount > 3000, "too few plain bodies to mean anything")
        #expect(otherCount > 3000, "too few others to mean anything")
    }

    @Test(arguments: [
        #"{"job_id":"backup-pgtest1-1760099999","job_type":"backup","status":"running","#
            + #""current_phase":"transferring","bytes_transferred":45678901234,"#
            + #""total_bytes":109521739776,"transfer_speed_bps":125000000,"eta_seconds":512,"#
            + #""progress_percent":41.70732489123456,"disks":[{"disk_index":0,"bytes_transferred":1,"#
            + #""total_bytes":2,"status":"transferring","progress_percent":50},{"disk_index":1,"#
            + #""bytes_transferred":0,"total_bytes":null,"status":"pending","progress_percent":null}],"#
            + #""timestamp":"2025-10-10T14:23:45Z","attempt":1,"seq":7,"age_ms":1200}"#,
        #"{"job_id":"backup-pgtest1-1760099999","job_type":"backup","status":"running","#
            + #""current_phase":"snapshot","bytes_transferred":0,"total_bytes":0,"#
            + #""transfer_speed_bps":0,"eta_seconds":0,"progress_percent":0,"disks":[],"error":null,"#
            + #""timestamp":"2025-10-10T14:23:45Z"}"#,
    ])
    func `is what clients send`(body: String) throws {
        let bytes = Array(body.utf8)
        let plain = try #require(Self.plain(bytes, try testJob()))
        #expect(plain == Self.general(bytes, try testJob()))
        for end in bytes.indices { #expect(Self.plain(Array(bytes[..<end]), try testJob()) == nil, "\(end)") }
    }

    @Test func `holds for no body that is too short, and for none of another job`() throws {
        for count in 0..<16 {
            let bytes = Array("{\"job_id\":\"backup".utf8.prefix(count))
            #expect(Self.plain(bytes, try testJob()) == nil)
        }
        let bytes = Array(Body.text(Body.report).utf8)
        #expect(Self.plain(bytes, try testJob()) != nil)
        #expect(Self.plain(bytes, try #require(JobID("backup-pgtest1-1760099998"))) == nil)
        // The quote within an id would end the string.
        let quoted = Array(Body.text(Body.report, "job_id", #""a"b""#).utf8)
        #expect(Self.plain(quoted, try #require(JobID("a\"b"))) == nil)
    }
}
