import Foundation
import JobModel
import ServiceKit
import Synchronization
import Testing

@testable import Ingest

@Suite struct RoutesTests {
    /// Serves one request with a writer that gives a certain answer; returns the response and what was published.
    private func serve(
        _ method: String,
        _ path: String,
        _ body: String = "",
        answer: Answer = Answer(.applied, jobStatus: .running, attempt: 1, storedSeq: 3)
    ) throws -> (DoorResponse, JobMessage?) {
        let published = Mutex<JobMessage?>(nil)
        let response = Mutex<DoorResponse?>(nil)
        let routes = Routes(health: Health(waitingFor: [])) { message, reply in
            published.withLock { $0 = message }
            reply(.answered(answer))
        }
        let request = DoorRequest(method: method, path: path, body: Array(body.utf8))
        routes.serve(request, reply: DoorReply { made in response.withLock { $0 = made([]) } })
        return (try #require(response.withLock { $0 }), published.withLock { $0 })
    }

    private func json(_ response: DoorResponse) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: Data(response.body)) as? [String: Any])
    }

    private let telemetry = #"""
        {"job_id":"backup-a-1","job_type":"backup","status":"running","current_phase":"transferring",
         "bytes_transferred":1,"total_bytes":2,"seq":3,"attempt":1}
        """#

    @Test(arguments: [
        (Verdict.applied, 200), (.repeated, 200), (.superseded, 200), (.unknownJob, 404), (.unknownDisk, 404),
        (.terminal, 409), (.conflict, 409), (.rejected, 422), (.unavailable, 503),
    ])
    func `each verdict has its status`(verdict: Verdict, status: Int) throws {
        let answer = Answer(verdict, jobStatus: .running, attempt: 1, storedSeq: 3, detail: "why")
        let (response, message) = try serve(
            "POST",
            "/api/v1/telemetry/backup/backup-a-1",
            telemetry,
            answer: answer
        )
        #expect(response.status == status && message?.jobID.rawValue == "backup-a-1")
        let body = try json(response)
        #expect(body["job_status"] as? String == "running" && body["stored_seq"] as? Int == 3)
        #expect(response.headers.contains { $0.name == "retry-after" } == (status == 503))
        #expect(response.contentType == (status < 400 ? "application/json" : "application/problem+json"))
        if status >= 400 { #expect(body["detail"] as? String == "why") }
    }

    @Test func `a registration that made a job is 201, a repeat 200`() throws {
        let body =
            #"{"job_id":"j","vm_name":"v","backup_type":"full","disks":[{"disk_index":0,"total_bytes":1}]}"#
        let created = Answer(.created, jobStatus: .running, attempt: 1)
        #expect(try serve("POST", "/api/v1/backups", body, answer: created).0.status == 201)
        #expect(try serve("POST", "/api/v1/backups", body).0.status == 200)
    }

    @Test func `what the contract refuses is never published`() throws {
        let probe = #"{"job_type":"backup","status":"running"}"#
        let (response, message) = try serve("POST", "/api/v1/telemetry/backup/test-123", probe)
        #expect(response.status == 400 && message == nil)
        let pointers = try #require(try json(response)["errors"] as? [[String: String]]).compactMap {
            $0["pointer"]
        }
        #expect(pointers.contains("/job_id") && pointers.contains("/total_bytes"))
    }

    @Test func `complete keeps the members that old clients read`() throws {
        let path = "/api/v1/backups/backup%2Da-1/complete"
        let (ok, message) = try serve("POST", path, #"{"change_id":"52 66/1"}"#)
        #expect(ok.status == 200 && message?.jobID.rawValue == "backup-a-1")
        #expect(try json(ok)["message"] as? String == "Backup completed successfully, change_id recorded")
        for (body, answer) in [
            ("{}", Answer(.applied)), (#"{"change_id":"x"}"#, Answer(.unknownJob, detail: "none")),
        ] {
            let (response, _) = try serve("POST", path, body, answer: answer)
            let members = try json(response)
            #expect(response.status == (body == "{}" ? 400 : 404))
            for name in ["error", "details", "timestamp"] { #expect(members[name] is String, "\(name)") }
        }
    }

    @Test(arguments: [
        ("GET", "/api/v1/telemetry/backup/x", 405), ("PUT", "/api/v1/backups", 405), ("POST", "/health", 405),
        ("GET", "/nowhere", 404), ("POST", "/api/v1/telemetry/backup", 404),
        ("POST", "/api/v1/telemetry/restore/x", 422),
        ("POST", "/api/v1/telemetry/backup/%20x", 400), ("POST", "/api/v1/telemetry/backup/%zz", 400),
        ("GET", "/health", 200), ("GET", "/api/v1/health", 200),
    ])
    func `other requests are told what is wrong`(method: String, path: String, status: Int) throws {
        let (response, message) = try serve(method, path)
        #expect(response.status == status && message == nil)
        if status == 405 { #expect(response.headers.contains { $0.name == "allow" }) }
    }
}
