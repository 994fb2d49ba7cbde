import JobModel
import Testing

@testable import TelemetryContract

@Suite struct `A disk's entry in a telemetry message` {
    private func disks(_ text: String) throws -> Outcome<Report> {
        try report(Body.text(Body.report, "disks", text))
    }

    @Test(arguments: [
        ("pending", DiskStatus.pending), ("running", .transferring), ("transferring", .transferring),
        ("completed", .completed), ("failed", .failed),
    ])
    func `has one of these statuses`(word: String, status: DiskStatus) throws {
        let percent = word == "failed" ? "null" : "41.7"
        let entry =
            #"{"disk_index":65535,"bytes_transferred":0,"status":"\#(word)","progress_percent":\#(percent)}"#
        guard case .message(let report) = try disks("[\(entry)]") else {
            Issue.record("\(word)")
            return
        }
        #expect(report.disks == [DiskReport(index: 65_535, bytes: 0, total: nil, status: status)])
    }

    @Test(arguments: [
        (#"{"disk_index":-1,"bytes_transferred":0,"status":"failed"}"#, "disk_index"),
        (#"{"disk_index":65536,"bytes_transferred":0,"status":"failed"}"#, "disk_index"),
        (#"{"disk_index":null,"bytes_transferred":0,"status":"failed"}"#, "disk_index"),
        (#"{"bytes_transferred":0,"status":"failed"}"#, "disk_index"),
        (#"{"disk_index":1,"status":"failed"}"#, "bytes_transferred"),
        (#"{"disk_index":1,"bytes_transferred":1.5,"status":"failed"}"#, "bytes_transferred"),
        (#"{"disk_index":1,"bytes_transferred":0}"#, "status"),
        (#"{"disk_index":1,"bytes_transferred":0,"status":"cancelled"}"#, "status"),
        (#"{"disk_index":1,"bytes_transferred":0,"status":"failed","total_bytes":"9"}"#, "total_bytes"),
        (
            #"{"disk_index":1,"bytes_transferred":0,"status":"failed","progress_percent":""}"#,
            "progress_percent"
        ),
        (#"{"disk_index":0,"bytes_transferred":0,"status":"failed"}"#, "disk_index"),
    ])
    func `is refused for one wrong member`(entry: String, member: String) throws {
        let first = #"{"disk_index":0,"bytes_transferred":5,"status":"completed"}"#
        #expect(try disks("[\(first),\(entry)]") == .invalid(["/disks/1/\(member)"]))
    }

    @Test func `is one of 256 at most`() throws {
        let entries = (0...256).map { #"{"disk_index":\#($0),"bytes_transferred":0,"status":"pending"}"# }
        #expect(try disks("[\(entries.joined(separator: ","))]") == .invalid(["/disks"]))
        guard case .message(let report) = try disks("[\(entries.dropLast().joined(separator: ","))]") else {
            Issue.record("256 disks were refused")
            return
        }
        #expect(report.disks.map(\.index) == Array(0...255))
    }
}

@Suite struct `An error in a telemetry message` {
    private func error(_ text: String) throws -> String? {
        guard case .message(let report) = try report(Body.text(Body.report, "error", text)) else {
            Issue.record("refused: \(text.prefix(60))")
            return nil
        }
        return report.error
    }

    @Test(arguments: [
        ("null", nil), (#""""#, nil), (#""disk full""#, "disk full"), (#"{"message":"m"}"#, "m"),
        (#"{"message":"m","code":"E1"}"#, "m (code E1)"), (#"{"message":"m","code":-5e3}"#, "m (code -5e3)"),
        (#"{"message":"m","code":null,"timestamp":"x"}"#, "m"), (#"{"message":"m","code":""}"#, "m"),
        (#"{"message":""}"#, "unspecified error"),
        (#"{"code":7,"message":""}"#, "unspecified error (code 7)"),
        (#""a\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00""#, "a\"\\/\u{8}\u{C}\n\r\té😀"),
    ])
    func `is read as this text`(json: String, text: String?) throws {
        #expect(try error(json) == text)
    }

    @Test(arguments: [
        ("{}", "/error/message"), (#"{"message":null}"#, "/error/message"),
        (#"{"message":1}"#, "/error/message"),
        (#"{"message":"m","code":true}"#, "/error/code"),
    ])
    func `is refused with its member named`(json: String, pointer: String) throws {
        #expect(try report(Body.text(Body.report, "error", json)) == .invalid([pointer]))
    }

    @Test(arguments: ["x", "é", "€", "😀"], 0..<5)
    func `is cut to 4096 bytes between two characters`(character: String, shift: Int) throws {
        let text = String(repeating: "x", count: shift) + String(repeating: character, count: 4097)
        let kept = try #require(try error("\"\(text)\""))
        let width = character.utf8.count
        #expect(kept.utf8.count == shift + (4096 - shift) / width * width)
        #expect(text.unicodeScalars.starts(with: kept.unicodeScalars))
    }
}
