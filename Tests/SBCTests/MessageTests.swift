import Curl
import Foundation
import Testing

@testable import SBC

struct MessageTests {
    private let writer = MessageWriter(
        identity: JobIdentity(jobID: "backup-pg/1", vmName: "p\"g\n1", backupType: "full", repositoryID: nil),
        totals: [100, nil]
    )

    private var job: JobProgress {
        JobProgress(
            phase: .transferring,
            disks: [
                DiskProgress(state: .transferring, dealt: 40, moved: 15, total: 100, data: 50),
                DiskProgress(state: .failed, dealt: 0, moved: 0, total: nil, data: nil),
            ]
        )
    }

    @Test func `a running update has every member of the contract, unknown ones as null`() throws {
        let update = TelemetryUpdate(
            seq: 7,
            status: .running,
            progress: job,
            speed: nil,
            etaSeconds: nil,
            error: nil,
            atMilliseconds: 1_760_106_225_042
        )
        let members = try object(
            writer.body(
                of: Outgoing(content: .telemetry(update)),
                attempt: 3,
                nowMilliseconds: 1_760_106_226_041
            )
        )
        #expect(
            Set(members.keys) == [
                "job_id", "job_type", "status", "current_phase", "bytes_transferred", "total_bytes",
                "transfer_speed_bps", "eta_seconds", "progress_percent", "disks", "timestamp", "attempt",
                "seq",
            ]
        )
        #expect(members["job_id"] as? String == "backup-pg/1")
        #expect(members["job_type"] as? String == "backup")
        #expect(members["status"] as? String == "running")
        #expect(members["current_phase"] as? String == "transferring")
        #expect(members["bytes_transferred"] as? Int == 40)
        #expect(members["total_bytes"] as? Int == 100)
        #expect(members["transfer_speed_bps"] is NSNull)
        #expect(members["eta_seconds"] is NSNull)
        #expect(members["progress_percent"] as? Double == 40)
        #expect(members["timestamp"] as? String == "2025-10-10T14:23:45.042Z")
        #expect(members["attempt"] as? Int == 3)
        #expect(members["seq"] as? Int == 7)
        let disks = try #require(members["disks"] as? [[String: Any]])
        #expect(disks.count == 2)
        #expect(disks[0]["disk_index"] as? Int == 0)
        #expect(disks[0]["bytes_transferred"] as? Int == 40)
        #expect(disks[0]["total_bytes"] as? Int == 100)
        #expect(disks[0]["status"] as? String == "transferring")
        #expect(disks[0]["progress_percent"] as? Double == 40)
        #expect(disks[1]["disk_index"] as? Int == 1)
        #expect(disks[1]["total_bytes"] is NSNull)
        #expect(disks[1]["status"] as? String == "failed")
    }

    @Test func `a failure carries its message and time`() throws {
        let update = TelemetryUpdate(
            seq: 8,
            status: .failed,
            progress: job,
            speed: 0,
            etaSeconds: nil,
            error: "disk 1: cannot read \"x\"\u{1}",
            atMilliseconds: 0
        )
        let members = try object(
            writer.body(of: Outgoing(content: .telemetry(update)), attempt: 1, nowMilliseconds: -5)
        )
        let error = try #require(members["error"] as? [String: Any])
        #expect(error["message"] as? String == "disk 1: cannot read \"x\"\u{1}")
        #expect(error["timestamp"] as? String == "1970-01-01T00:00:00.000Z")
        #expect(members["transfer_speed_bps"] as? Int == 0)
    }

    @Test func `a registration names the disks, announces telemetry and leaves out what is not given`() throws
    {
        var members = try object(
            writer.body(of: Outgoing(content: .registration), attempt: 2, nowMilliseconds: 5000)
        )
        #expect(Set(members.keys) == ["job_id", "vm_name", "backup_type", "disks", "telemetry", "attempt"])
        #expect(members["vm_name"] as? String == "p\"g\n1")
        #expect(members["telemetry"] as? Bool == true)
        #expect(members["attempt"] as? Int == 2)
        let disks = try #require(members["disks"] as? [[String: Any]])
        #expect(disks.map { $0["disk_index"] as? Int } == [0, 1])
        #expect(disks[0]["total_bytes"] as? Int == 100)
        #expect(disks[1]["total_bytes"] is NSNull)
        var withRepository = writer
        withRepository.identity.repositoryID = "repo-1"
        members = try object(
            withRepository.body(of: Outgoing(content: .registration), attempt: 2, nowMilliseconds: 5000)
        )
        #expect(members["repository_id"] as? String == "repo-1")
        var withColumns = writer
        withColumns.identity.hubColumns = [try #require(HubColumn("vm_context_id=ctx=1"))]
        members = try object(
            withColumns.body(of: Outgoing(content: .registration), attempt: 2, nowMilliseconds: 5000)
        )
        #expect(members["vm_context_id"] as? String == "ctx=1")
    }

    @Test func `what was a second ago or more says how long ago`() throws {
        let update = TelemetryUpdate(
            seq: 1,
            status: .completed,
            progress: job,
            speed: 0,
            etaSeconds: 0,
            error: nil,
            atMilliseconds: 10_000
        )
        let completion = Outgoing.Content.completion(diskIndex: 0, changeID: "c", bytes: 1)
        for outgoing in [
            Outgoing(content: .telemetry(update)), Outgoing(content: .registration, atMilliseconds: 10_000),
            Outgoing(content: completion, atMilliseconds: 10_000),
        ] {
            let ages = try [9_000, 10_999, 11_000, 7_210_000].map { now in
                try object(writer.body(of: outgoing, attempt: 1, nowMilliseconds: now))["age_ms"] as? Int
            }
            #expect(ages == [nil, nil, 1000, 7_200_000])
        }
    }

    @Test func `a completion carries the change id, the disk, its bytes and the attempt`() throws {
        let content = Outgoing.Content.completion(diskIndex: 3, changeID: "52 66/5440", bytes: 1 << 40)
        let members = try object(
            writer.body(of: Outgoing(content: content), attempt: 2, nowMilliseconds: 5000)
        )
        #expect(Set(members.keys) == ["change_id", "disk_id", "bytes_transferred", "attempt"])
        #expect(members["change_id"] as? String == "52 66/5440")
        #expect(members["disk_id"] as? Int == 3)
        #expect(members["bytes_transferred"] as? Int == 1 << 40)
        #expect(writer.path(of: content) == "/api/v1/backups/backup-pg%2F1/complete")
    }

    @Test func `percent is cut, so that 100 is said only when it is reached`() {
        #expect(JSON.percent(99.9999).bytes == Array("99.99".utf8))
        #expect(JSON.percent(100).bytes == Array("100.0".utf8))
        #expect(progress(.transferring, 0).percent == 0)
        let empty = JobProgress(
            phase: .transferring,
            disks: [DiskProgress(state: .completed, dealt: 0, moved: 0, total: 0, data: 0)]
        )
        #expect(empty.percent == 100)
    }

    @Test func `an answer is read member by member, whatever the rest is`() {
        let body =
            #"{"job_status":"running","attempt":"x","stored_seq":12,"command":"register","status":409}"#
        let answer = HubAnswer(HTTPResponse(status: 409, retryAfterSeconds: 2, body: Array(body.utf8)))
        #expect(answer.jobStatus == "running")
        #expect(answer.attempt == nil)
        #expect(answer.storedSeq == 12)
        #expect(answer.command == .register)
        #expect(answer.retryAfterSeconds == 2)
        let page = HubAnswer(HTTPResponse(status: 502, body: Array("<html>bad gateway".utf8)))
        #expect(page.jobStatus == nil && page.isWorthRetrying && page.excerpt == "<html>bad gateway")
    }
}
