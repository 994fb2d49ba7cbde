import JobModel
import Testing

@testable import TelemetryContract

private func completion(_ text: String) throws -> Outcome<DiskCompletion> {
    let id = try testJob()
    return outcome { () throws(ContractError) in
        try TelemetryDecoder.completion(body: Array(text.utf8).span, jobID: id)
    }
}

private func registration(_ text: String) -> Outcome<Registration> {
    outcome { () throws(ContractError) in try TelemetryDecoder.registration(body: Array(text.utf8).span) }
}

@Suite struct `A completion` {
    @Test func `is read whole`() throws {
        let expected = DiskCompletion(
            jobID: try testJob(),
            diskIndex: 1,
            changeID: "52 66 8c 2d/5440",
            bytes: 99,
            attempt: 3
        )
        #expect(try completion(Body.text(Body.completion)) == .message(expected))
    }

    @Test(arguments: [#"{"change_id":"c"}"#, #"{"change_id":"c","disk_id":null,"bytes_transferred":null}"#])
    func `of an old client means disk 0 and no bytes`(body: String) throws {
        let expected = DiskCompletion(jobID: try testJob(), diskIndex: 0, changeID: "c", bytes: 0)
        #expect(try completion(body) == .message(expected))
    }

    @Test(
        arguments: [
            ("change_id", nil), ("change_id", #""""#), ("change_id", "null"), ("change_id", "5"),
            ("change_id", "\"" + String(repeating: "é", count: 256) + "\""), ("disk_id", "-1"),
            ("disk_id", "65536"),
            ("disk_id", #""0""#), ("bytes_transferred", "-1"), ("bytes_transferred", "0.5"), ("attempt", "0"),
            ("age_ms", "-1"), ("age_ms", #""1""#),
        ] as [(String, String?)]
    )
    func `is refused for one wrong member`(name: String, value: String?) throws {
        #expect(try completion(Body.text(Body.completion, name, value)) == .invalid(["/\(name)"]))
    }

    @Test func `may have a change id of 255 characters`() throws {
        let id = String(repeating: "😀", count: 255)
        guard case .message(let message) = try completion(#"{"change_id":"\#(id)"}"#) else {
            Issue.record("refused")
            return
        }
        #expect(message.changeID == id)
    }
}

@Suite struct `A registration` {
    @Test func `is read whole, its disks in order`() throws {
        let expected = Registration(
            jobID: try testJob(),
            vmName: "pgtest1",
            backupType: .full,
            repositoryID: "repo-1",
            disks: [RegisteredDisk(index: 0, total: nil), RegisteredDisk(index: 1, total: 20)],
            announcesTelemetry: true,
            attempt: 4
        )
        #expect(registration(Body.text(Body.registration)) == .message(expected))
    }

    @Test func `may carry what a hub's tables demand, for the job and for each disk`() {
        let body = #"""
            {"job_id":"backup-a-1","vm_name":"a","backup_type":"full","vm_context_id":"ctx-\u00e9","policy_id":null,
            "disk_id":2,"Enabled":true,"off":false,"ratio":0.5,"below":-1,"huge":1e30,"list":["x"],"object":{"a":1},
            "no column":"x","":"x","repository_path":"/multi",
            "disks":[{"disk_index":0,"vmware_disk_key":2000,"vm_backup_context_id":"c0"},{"disk_index":1}]}
            """#
        guard case .message(let message) = registration(body) else {
            Issue.record("refused")
            return
        }
        #expect(
            message.columns == [
                "vm_context_id": .text("ctx-é"), "disk_id": .integer(2), "Enabled": .integer(1),
                "off": .integer(0), "repository_path": .text("/multi"),
            ]
        )
        let ofDisks = message.disks.map(\.columns)
        #expect(ofDisks == [["vmware_disk_key": .integer(2000), "vm_backup_context_id": .text("c0")], [:]])
    }

    @Test func `is refused where a member that only a hub knows comes twice`() {
        let body =
            #"{"job_id":"a","vm_name":"a","backup_type":"full","disks":[{"disk_index":0}],"x":1,"x":2}"#
        guard case .message = registration(body) else { return }
        Issue.record("accepted")
    }

    @Test(arguments: ["repository_id", "telemetry", "attempt"], [nil, "null"] as [String?])
    func `may lack an optional member`(name: String, value: String?) {
        guard case .message(let message) = registration(Body.text(Body.registration, name, value)) else {
            Issue.record("\(name)")
            return
        }
        switch name {
        case "repository_id": #expect(message.repositoryID == nil)
        case "telemetry": #expect(message.announcesTelemetry == false)
        default: #expect(message.attempt == nil)
        }
    }

    @Test(
        arguments: [
            (nil, 0), ("null", 0), ("0", 0), ("7200000", 7_200_000), ("1500.9", 1500),
            ("2592000001", 2_592_000_000),
            ("1e300", 2_592_000_000),
        ] as [(String?, Int64)]
    )
    func `may say how long ago it was, of which thirty days count`(value: String?, age: Int64) throws {
        let id = try #require(JobID("backup-a"))
        guard case .message(let message) = registration(Body.text(Body.registration, "age_ms", value)) else {
            Issue.record("\(value ?? "")")
            return
        }
        let member = value.map { #", "age_ms": \#($0)"# } ?? ""
        let completion = try TelemetryDecoder.completion(
            body: Array(#"{"change_id": "c"\#(member)}"#.utf8).span,
            jobID: id
        )
        let report = try TelemetryDecoder.report(
            body: Array(
                #"""
                {"job_id": "backup-a", "job_type": "backup", "status": "completed", "current_phase": "",
                "bytes_transferred": 0, "total_bytes": 0\#(member)}
                """#.utf8
            ).span,
            jobType: "backup",
            jobID: id
        )
        #expect(
            [message.ageMilliseconds, completion.ageMilliseconds, report.ageMilliseconds] == [age, age, age]
        )
    }

    @Test(
        arguments: [
            ("job_id", nil), ("job_id", #""""#), ("job_id", #"" a""#), ("job_id", #""a\u0007""#),
            ("job_id", "null"),
            ("job_id", "\"" + String(repeating: "j", count: 65) + "\""), ("vm_name", nil),
            ("vm_name", #""""#),
            ("vm_name", "\"" + String(repeating: "v", count: 256) + "\""), ("vm_name", "1"),
            ("backup_type", nil),
            ("backup_type", #""Full""#), ("backup_type", "null"), ("repository_id", #""""#),
            ("repository_id", "1"),
            ("repository_id", "\"" + String(repeating: "r", count: 65) + "\""), ("disks", nil),
            ("disks", "null"),
            ("disks", "[]"), ("disks", "{}"), ("telemetry", "1"), ("telemetry", #""true""#), ("attempt", "0"),
            ("attempt", "1e10"), ("age_ms", "-1"), ("age_ms", "true"),
        ] as [(String, String?)]
    )
    func `is refused for one wrong member`(name: String, value: String?) {
        #expect(registration(Body.text(Body.registration, name, value)) == .invalid(["/\(name)"]))
    }

    @Test(arguments: [
        ("[1]", "/disks/0"), ("[{}]", "/disks/0/disk_index"),
        (#"[{"disk_index":0},{"disk_index":0}]"#, "/disks/1/disk_index"),
        (#"[{"disk_index":0},{"disk_index":1,"total_bytes":-1}]"#, "/disks/1/total_bytes"),
        (#"[{"disk_index":65536}]"#, "/disks/0/disk_index"),
    ])
    func `is refused for one wrong disk`(disks: String, pointer: String) {
        #expect(registration(Body.text(Body.registration, "disks", disks)) == .invalid([pointer]))
    }
}

@Suite struct `A request to cancel` {
    private func request(_ body: String) throws -> CancelRequest {
        try TelemetryDecoder.cancelRequest(body: Array(body.utf8).span, jobID: testJob())
    }

    @Test(arguments: ["", "{}", #"{"reason":null,"by":"anna"}"#])
    func `needs no reason`(body: String) throws {
        #expect(try request(body) == CancelRequest(jobID: testJob()))
    }

    @Test func `may have a reason of a thousand characters`() throws {
        let reason = String(repeating: "é", count: 1000)
        #expect(try request(#"{"reason":"\#(reason)"}"#).reason == reason)
        for wrong in [#"""#, #"""# + reason + "x"] {
            let error = #expect(throws: ContractError.self) { try request(#"{"reason":"# + wrong + #""}"#) }
            #expect(error?.problems.map(\.pointer) == ["/reason"], "\(wrong.count)")
        }
    }

    @Test(arguments: ["[]", "1", "{", #"{"reason":1}"#])
    func `is refused where it is no object with a reason`(body: String) {
        #expect(throws: ContractError.self) { try request(body) }
    }
}
