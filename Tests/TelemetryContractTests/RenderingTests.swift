import Foundation
import JobModel
import Testing

@testable import TelemetryContract

/// The object as Foundation reads it.
private func parsed(_ bytes: [UInt8]) throws -> NSDictionary {
    try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? NSDictionary)
}

/// Quotes, backslashes, every control character, and characters of one to four bytes.
private let nasty =
    "\"\\/" + String(String.UnicodeScalarView((0..<0x20).compactMap(Unicode.Scalar.init)))
    + "\u{7F}é€😀\u{2028}"

@Suite struct `An answer` {
    private let now: Int64 = 1_760_106_225_999

    private func telemetry(
        _ answer: Answer,
        message: StaticString = ContractJSON.telemetryMessage,
        nowMilliseconds: Int64
    ) -> [UInt8] {
        var bytes = Array("what was there before".utf8)
        ContractJSON.telemetry(answer, message: message, nowMilliseconds: nowMilliseconds, over: &bytes)
        return bytes
    }

    @Test func `to telemetry says where the job stands`() throws {
        let answer = Answer(.applied, jobStatus: .running, attempt: 2, storedSeq: 7)
        let expected: NSDictionary = [
            "status": "success", "message": "Telemetry received and processed",
            "timestamp": "2025-10-10T14:23:45Z",
            "job_status": "running", "stored_seq": 7, "attempt": 2,
        ]
        #expect(try parsed(telemetry(answer, nowMilliseconds: now)) == expected)
    }

    @Test func `to telemetry has room for the longest numbers and words`() throws {
        let answer = Answer(.applied, jobStatus: .completed, attempt: .max, storedSeq: .max)
        let expected: NSDictionary = [
            "status": "success", "message": "Telemetry received and processed",
            "timestamp": "9999-12-31T23:59:59Z",
            "job_status": "completed", "stored_seq": Int64.max, "attempt": Int64.max,
        ]
        #expect(try parsed(telemetry(answer, nowMilliseconds: .max)) == expected)
    }

    @Test(arguments: [Int64.min, -10, -1, 0, 9, 10, 1_760_106_225_999, .max])
    func `has its numbers as they are`(value: Int64) {
        var object = JSONWriter()
        object.member("number", value)
        #expect(String(decoding: object.finished(), as: UTF8.self) == "{\"number\":\(value)}")
    }

    @Test func `to telemetry that waits in the outbox leaves out what is not known`() throws {
        let expected: NSDictionary = [
            "status": "success", "message": "why", "timestamp": "2025-10-10T14:23:45Z",
        ]
        let bytes = telemetry(Answer(.unavailable), message: "why", nowMilliseconds: now)
        #expect(try parsed(bytes) == expected)
    }

    @Test func `to a completion is what old clients look for`() throws {
        let answer = Answer(.applied, jobStatus: .completed, attempt: 1, storedSeq: Int64.max)
        let expected: NSDictionary = [
            "status": "completed", "backup_id": "backup-pgtest1-1760099999", "change_id": nasty,
            "message": "Backup completed successfully, change_id recorded",
            "timestamp": "2025-10-10T14:23:45Z",
            "job_status": "completed", "attempt": 1, "stored_seq": Int64.max,
        ]
        let bytes = ContractJSON.completion(
            answer,
            jobID: try testJob(),
            changeID: nasty,
            nowMilliseconds: now
        )
        #expect(try parsed(bytes) == expected)
    }

    @Test(arguments: [(Verdict.created, "created"), (.repeated, "exists"), (.applied, "exists")])
    func `to a registration tells new from known`(verdict: Verdict, status: String) throws {
        let answer = Answer(verdict, jobStatus: .running, attempt: 3, storedSeq: 0)
        let expected: NSDictionary = [
            "status": status, "backup_id": "backup-pgtest1-1760099999", "attempt": 3, "stored_seq": 0,
            "job_status": "running", "timestamp": "2025-10-10T14:23:45Z",
        ]
        let bytes = ContractJSON.registration(answer, jobID: try testJob(), nowMilliseconds: now)
        #expect(try parsed(bytes) == expected)
    }
}

@Suite struct `A health answer` {
    @Test(arguments: [([], "ok"), (["no \"writer\"", "outbox full"], "degraded")] as [([String], String)])
    func `names every reason`(reasons: [String], status: String) throws {
        let expected: NSDictionary = [
            "status": status, "service": "ingest", "reasons": reasons, "timestamp": "1970-01-01T00:00:00Z",
        ]
        let bytes = ContractJSON.health(service: "ingest", reasons: reasons, nowMilliseconds: 0)
        #expect(try parsed(bytes) == expected)
    }
}

@Suite struct `A problem document` {
    @Test func `names every problem, and the job's standing`() throws {
        let document = ProblemDocument(
            status: 409,
            title: "Conflict",
            answer: Answer(
                .terminal,
                jobStatus: .cancelled,
                attempt: 2,
                storedSeq: 9,
                detail: nasty,
                command: .cancel,
                problems: [Problem(pointer: "/a", detail: nasty), Problem(pointer: "", detail: "b")]
            ),
            instance: "/api/v1/telemetry/backup/é\""
        )
        let expected: NSDictionary = [
            "type": "about:blank", "title": "Conflict", "status": 409, "detail": nasty,
            "instance": "/api/v1/telemetry/backup/é\"", "command": "cancel", "job_status": "cancelled",
            "attempt": 2,
            "stored_seq": 9,
            "errors": [["pointer": "/a", "detail": nasty], ["pointer": "", "detail": "b"]],
        ]
        #expect(try parsed(document.json()) == expected)
    }

    @Test func `leaves out what there is none of`() throws {
        let document = ProblemDocument(status: 404, title: "Not Found", answer: Answer(.unknownJob))
        let expected: NSDictionary = [
            "type": "about:blank", "title": "Not Found", "status": 404, "detail": "Not Found",
        ]
        #expect(try parsed(document.json()) == expected)
    }

    @Test func `for the complete route also speaks the old clients' language`() throws {
        let id = try testJob()
        let error = try #require(
            #expect(throws: ContractError.self) {
                try TelemetryDecoder.completion(body: Array("{}".utf8).span, jobID: id)
            }
        )
        let detail = "is missing; must be a string of 1 to 255 characters"
        let object = try parsed(ProblemDocument(error, instance: "/x").json(legacyMilliseconds: 0))
        #expect(object["status"] as? Int == 400)
        #expect(object["errors"] as? NSArray == [["pointer": "/change_id", "detail": detail]])
        #expect(object["error"] as? String == "Bad Request")
        #expect(object["details"] as? String == "/change_id \(detail)")
        #expect(object["timestamp"] as? String == "1970-01-01T00:00:00Z")
    }

    @Test func `of random texts is read back as they were`() throws {
        let seed = newSeed("rendering")
        var random = SplitMix64(seed: seed)
        for _ in 0..<2000 {
            let scalars = (0..<Int.random(in: 0...20, using: &random)).compactMap { _ in
                Unicode.Scalar(
                    UInt32.random(in: 0...0x10FFFF, using: &random)
                        >> UInt32.random(in: 0...14, using: &random)
                )
            }
            let text = String(String.UnicodeScalarView(scalars))
            let bytes = ProblemDocument(status: 400, title: "t", detail: text).json()
            #expect(try parsed(bytes)["detail"] as? String == text, "TEST_SEED=\(seed): \(scalars)")
            var reader = JSONReader(bytes.span)
            guard case .object = try reader.next() else {
                Issue.record("our own reader refuses it")
                return
            }
            try reader.skipRest(of: .object)
            try reader.finish()
        }
    }
}
