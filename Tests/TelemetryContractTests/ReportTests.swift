import JobModel
import Testing

@testable import TelemetryContract

@Suite struct `A telemetry message` {
    static let oldClient = #"""
        {"job_id":"backup-pgtest1-1760099999","job_type":"backup","status":"running",
         "current_phase":"transferring","bytes_transferred":45678901234,"total_bytes":109521739776,
         "transfer_speed_bps":125000000,"eta_seconds":512,"progress_percent":42.5,"disks":[],
         "timestamp":"2025-10-10T14:23:45Z"}
        """#

    @Test func `of an old client is read whole`() throws {
        let expected = Report(
            jobID: try testJob(),
            status: .running,
            phase: "transferring",
            bytes: 45_678_901_234,
            total: 109_521_739_776,
            speed: 125_000_000,
            etaSeconds: 512,
            percentHundredths: 4250,
            timestampMilliseconds: 1_760_106_225_000
        )
        #expect(try report(Self.oldClient) == .message(expected))
    }

    @Test func `of our client is read with its attempt, seq and disks`() throws {
        let expected = Report(
            jobID: try testJob(),
            status: .running,
            phase: "transferring",
            bytes: 45_678_901_234,
            total: 109_521_739_776,
            speed: 125_000_000,
            etaSeconds: 512,
            percentHundredths: 4250,
            disks: [DiskReport(index: 0, bytes: 5, total: 10, status: .transferring)],
            timestampMilliseconds: 1_760_106_225_000,
            attempt: 2,
            seq: 7
        )
        #expect(try report(Body.text(Body.report)) == .message(expected))
    }

    @Test(
        arguments: [
            ("bytes_transferred", "1e3"), ("bytes_transferred", "5.0"),
            ("bytes_transferred", "9223372036854775807"),
            ("bytes_transferred", "-0"), ("bytes_transferred", "0e999999999999"), ("total_bytes", "null"),
            ("transfer_speed_bps", "1.9"), ("transfer_speed_bps", "null"), ("eta_seconds", "1e400"),
            ("progress_percent", "1e400"), ("progress_percent", "1e-400"), ("current_phase", #""""#),
            ("timestamp", "null"), ("timestamp", #""""#), ("attempt", "null"), ("attempt", "2147483647"),
            ("seq", "null"), ("seq", "9223372036854775807"), ("disks", "null"), ("error", "null"),
            ("status", #""\u0063ancelled""#), ("unknown", #"{"a":[1,{"b":null}]}"#),
        ] as [(String, String)]
    )
    func `may carry this value`(name: String, value: String) throws {
        let outcome = try report(Body.text(Body.report, name, value))
        guard case .message = outcome else {
            Issue.record("\(name) \(value): \(outcome)")
            return
        }
    }

    @Test(
        arguments: [
            ("bytes_transferred", "1e3", 1000), ("bytes_transferred", "5.00", 5),
            ("bytes_transferred", "1234567890123456789", 1_234_567_890_123_456_789),
            ("bytes_transferred", "9223372036854775807", Int64.max),
            ("bytes_transferred", "9007199254740993", 9_007_199_254_740_993),
            ("bytes_transferred", "922337203685477580700000000000e-11", Int64.max),
            ("transfer_speed_bps", "1.999", 1), ("eta_seconds", "2147483648", Int64(Int32.max)),
            ("eta_seconds", "1e400", Int64(Int32.max)), ("eta_seconds", "7.9", 7),
            ("progress_percent", "0.29", 29), ("progress_percent", "99.999", 9999),
            ("progress_percent", "100.01", 10_000), ("progress_percent", "1e400", 10_000),
        ] as [(String, String, Int64)]
    )
    func `keeps a number to the last digit, rounds down and stops at the limit`(
        name: String,
        value: String,
        expected: Int64
    ) throws {
        guard case .message(let report) = try report(Body.text(Body.report, name, value)) else {
            Issue.record("\(name) \(value) was refused")
            return
        }
        switch name {
        case "bytes_transferred": #expect(report.bytes == expected)
        case "transfer_speed_bps": #expect(report.speed == expected)
        case "eta_seconds": #expect(report.etaSeconds.map(Int64.init) == expected)
        default: #expect(report.percentHundredths.map(Int64.init) == expected)
        }
    }

    @Test(arguments: 1...18, ["", " ", ".0", "e0", "00e-2"])
    func `keeps an integer of any length, written in any way, wherever it stands`(
        digitCount: Int,
        end: String
    ) throws {
        let digits = String("987654321012345678".prefix(digitCount))
        let rest = Body.text(Body.report, "bytes_transferred").dropFirst()
        for body in [
            #"{"bytes_transferred":\#(digits)\#(end),\#(rest)"#,
            Body.text(Body.report, "bytes_transferred", digits + end),
        ] {
            guard case .message(let report) = try report(body) else {
                Issue.record("\(body) was refused")
                continue
            }
            #expect(report.bytes == Int64(digits), "\(body)")
        }
    }

    @Test(
        arguments: [
            ("job_id", #""backup-other""#), ("job_id", "1"), ("job_id", "null"), ("job_type", #""restore""#),
            ("job_type", "null"), ("status", #""stalled""#), ("status", #""Running""#), ("status", #""""#),
            ("status", "null"), ("status", "{}"), ("current_phase", "null"), ("current_phase", "[1,[2]]"),
            ("current_phase", "\"" + String(repeating: "é", count: 51) + "\""), ("bytes_transferred", "1.5"),
            ("bytes_transferred", "-1"), ("bytes_transferred", "-1e-400"), ("bytes_transferred", "null"),
            ("bytes_transferred", #""5""#), ("bytes_transferred", "9223372036854775808"),
            ("bytes_transferred", "1e19"), ("bytes_transferred", "1e999999999999"),
            ("bytes_transferred", "0.10000000000000000001e1"), ("total_bytes", "-5"), ("total_bytes", "true"),
            ("total_bytes", "1e-1"), ("transfer_speed_bps", "-0.1"),
            ("transfer_speed_bps", "9223372036854775808"),
            ("eta_seconds", "-1"), ("eta_seconds", "[]"), ("progress_percent", "-0.01"),
            ("progress_percent", #""42""#), ("timestamp", #""yesterday""#), ("timestamp", "1760106225"),
            ("error", "7"), ("error", "true"), ("error", "[]"), ("attempt", "0"), ("attempt", "2147483648"),
            ("attempt", "1.5"), ("seq", "0"), ("seq", "-1"), ("seq", "9223372036854775808"), ("seq", #""1""#),
            ("disks", "{}"), ("disks", #""""#), ("disks", "0"),
        ] as [(String, String)]
    )
    func `is refused for this value, and the problem points at it`(name: String, value: String) throws {
        #expect(try report(Body.text(Body.report, name, value)) == .invalid(["/\(name)"]))
    }

    @Test(arguments: [
        "job_id", "job_type", "status", "current_phase", "bytes_transferred", "total_bytes",
    ])
    func `is refused without a required member`(name: String) throws {
        #expect(try report(Body.text(Body.report, name)) == .invalid(["/\(name)"]))
    }

    @Test(arguments: [
        "transfer_speed_bps", "eta_seconds", "progress_percent", "timestamp", "attempt", "seq", "disks",
    ])
    func `may lack an optional member`(name: String) throws {
        guard case .message = try report(Body.text(Body.report, name)) else {
            Issue.record("\(name)")
            return
        }
    }

    @Test func `names all that is wrong at once`() throws {
        let body = #"""
            {"job_type":"backup","status":"x","bytes_transferred":-1,"eta_seconds":"a","error":{"code":[]},
             "disks":[{"disk_index":0,"bytes_transferred":1,"status":"running"},7,
                      {"disk_index":0,"bytes_transferred":0.5,"total_bytes":null,"status":"done"}]}
            """#
        let pointers = [
            "/status", "/bytes_transferred", "/eta_seconds", "/error/code", "/error/message", "/disks/1",
            "/disks/2/bytes_transferred", "/disks/2/status", "/disks/2/disk_index", "/job_id",
            "/current_phase",
            "/total_bytes",
        ]
        #expect(try report(body) == .invalid(pointers))
    }

    @Test func `is told what is wrong and what would be right`() throws {
        let id = try testJob()
        let body = Array(Body.text(Body.report, "status", #""stalled""#).utf8)
        let error = #expect(throws: ContractError.self) {
            try TelemetryDecoder.report(body: body.span, jobType: "backup", jobID: id)
        }
        let detail = #"is "stalled"; must be one of pending, running, completed, failed, cancelled"#
        #expect(error?.problems == [Problem(pointer: "/status", detail: detail)])
    }

    @Test func `with a thousand problems names the first and counts the rest`() throws {
        let entries = Array(repeating: #"{"disk_index":-1,"bytes_transferred":-1,"status":0}"#, count: 256)
        let body = Body.text(Body.report, "disks", "[\(entries.joined(separator: ","))]")
        let pointers = try #require(try report(body).pointers)
        #expect(pointers.count == FieldReader.problemCountMax + 1)
        #expect(pointers.last == "")
    }

    @Test(arguments: ["1", #""text""#, "null", "true", "[]"])
    func `has to be an object`(body: String) throws {
        #expect(try report(body) == .invalid([""]))
    }
}
