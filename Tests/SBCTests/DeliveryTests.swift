import Curl
import Testing

@testable import SBC

struct DeliveryTests {
    private var generator = SplitMix64(seed: 1)

    private func update(_ seq: Int64, _ status: ReportedStatus = .running) -> TelemetryUpdate {
        TelemetryUpdate(seq: seq, status: status, progress: progress(.transferring, 10), atMilliseconds: 0)
    }

    private func transition(_ seq: Int64, _ status: ReportedStatus = .running) -> Outgoing {
        Outgoing(content: .telemetry(update(seq, status)))
    }

    private func progressMessage(_ seq: Int64) -> Outgoing {
        Outgoing(content: .telemetry(update(seq)), isProgress: true)
    }

    private let registration = Outgoing(content: .registration)
    private let completion = Outgoing(content: .completion(diskIndex: 0, changeID: "c", bytes: 1))

    private func delivery(_ messages: Outgoing...) -> Delivery {
        var delivery = Delivery(attempt: 1)
        for message in messages { delivery.add(message) }
        return delivery
    }

    private mutating func answer(_ delivery: inout Delivery, _ answer: HubAnswer) -> Delivery.Outcome {
        delivery.answered(answer, nowMilliseconds: 0, using: &generator)
    }

    private func drain(_ delivery: Delivery) -> [Outgoing] {
        var delivery = delivery
        var sent: [Outgoing] = []
        var generator = SplitMix64(seed: 2)
        while let next = delivery.next(nowMilliseconds: .max) {
            sent.append(next)
            _ = delivery.answered(HubAnswer(status: 200), nowMilliseconds: 0, using: &generator)
        }
        return sent
    }

    @Test(arguments: [200, 409])
    mutating func `an attempt that leaves none above it does not end the program`(
        status: Int
    ) {
        var delivery = delivery(registration)
        let outcome = answer(&delivery, HubAnswer(status: status, attempt: .max, storedSeq: 3))
        if status == 200 {
            #expect(outcome == .delivered(registration, jobStatus: nil))
        } else {
            guard case .jobRefused = outcome else {
                Issue.record("\(outcome)")
                return
            }
        }
    }

    @Test func `only the newest progress is kept, transitions all, in order`() {
        let delivery = delivery(
            registration,
            transition(1),
            progressMessage(2),
            progressMessage(3),
            transition(4),
            progressMessage(5),
            completion,
            progressMessage(7),
            progressMessage(8)
        )
        #expect(
            drain(delivery) == [registration, transition(1), transition(4), completion, progressMessage(8)]
        )
    }

    @Test(arguments: UInt64(0)..<64)
    func `under any disorder of answers every transition arrives once, in order`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var delivery = delivery(registration)
        var delivered: [Int64] = []
        var expected: [Int64] = []
        var seq: Int64 = 0
        for _ in 0..<400 {
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                seq += 1
                expected.append(seq)
                delivery.add(transition(seq))
            case 1:
                seq += 1
                delivery.add(progressMessage(seq))
            case 2 where delivery.count > 0:
                _ = delivery.failed(reason: "reset", nowMilliseconds: 0, using: &random)
            case 3 where delivery.count > 0:
                let status = [429, 500, 502, 503, 504].randomElement(using: &random) ?? 503
                _ = delivery.answered(HubAnswer(status: status), nowMilliseconds: 0, using: &random)
            default:
                guard delivery.next(nowMilliseconds: .max) != nil else { continue }
                let outcome = delivery.answered(HubAnswer(status: 200), nowMilliseconds: 0, using: &random)
                if case .delivered(let outgoing, _) = outcome, !outgoing.isProgress,
                    case .telemetry(let update) = outgoing.content
                {
                    delivered.append(update.seq)
                }
            }
        }
        for outgoing in drain(delivery) where !outgoing.isProgress {
            if case .telemetry(let update) = outgoing.content { delivered.append(update.seq) }
        }
        #expect(delivered == expected)
    }

    @Test(arguments: [301, 401, 403, 405, 407, 408, 425, 429, 451, 500, 502, 503, 504, 599])
    mutating func `what may pass is tried again, not before Retry-After`(status: Int) {
        var delivery = delivery(transition(1))
        let outcome = answer(&delivery, HubAnswer(status: status, retryAfterSeconds: 3, excerpt: "later"))
        #expect(
            outcome == .postponed(transition(1), untilMilliseconds: 3000, reason: "HTTP \(status): later")
        )
        #expect(delivery.next(nowMilliseconds: 2999) == nil)
        #expect(delivery.next(nowMilliseconds: 3000) == transition(1))
    }

    @Test(arguments: [400, 404, 409, 410, 413, 415, 422])
    mutating func `what is final is dropped and told, and the next goes out`(status: Int) {
        var delivery = delivery(transition(1), transition(2))
        if status == 404 { _ = answer(&delivery, HubAnswer(status: 404)) }
        if status == 404 { _ = answer(&delivery, HubAnswer(status: 422)) }
        let outcome = answer(&delivery, HubAnswer(status: status, excerpt: "no"))
        guard case .dropped(let dropped, "HTTP \(status): no") = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(dropped.content == transition(1).content)
        #expect(delivery.next(nowMilliseconds: 0) == transition(2))
    }

    @Test(arguments: [HubAnswer(status: 404), HubAnswer(status: 409, command: .register)])
    mutating func `an unknown job is registered again once, then the message is resent`(unknown: HubAnswer) {
        var delivery = delivery(transition(1), completion)
        #expect(
            answer(&delivery, unknown) == .registersFirst(transition(1), reason: "HTTP \(unknown.status)")
        )
        #expect(delivery.next(nowMilliseconds: 0) == registration)
        _ = answer(&delivery, HubAnswer(status: 201, attempt: 1, storedSeq: 0))
        #expect(delivery.next(nowMilliseconds: 0)?.content == transition(1).content)
        let second = answer(&delivery, unknown)
        guard case .dropped = second else {
            Issue.record("a second refusal should be final: \(second)")
            return
        }
        #expect(delivery.next(nowMilliseconds: 0) == completion)
    }

    @Test(arguments: [200, 204, 404])
    mutating func `what is not a hub's answer keeps the message`(status: Int) {
        var delivery = delivery(transition(1))
        let outcome = answer(&delivery, HubAnswer(status: status, isHubs: false, excerpt: "<html>"))
        let start = status == 404 ? "" : "the answer is not a hub's: "
        guard case .postponed(transition(1), _, "\(start)HTTP \(status): <html>") = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(delivery.messages == [transition(1)])
    }

    @Test(arguments: [301, 403, 404, 405, 407, 408, 425])
    mutating func `an odd answer to the registration holds up no update, and the hub may ask for it later`(
        status: Int
    ) {
        var delivery = delivery(registration, transition(1), transition(2))
        for _ in 0..<3 {
            let odd = answer(&delivery, HubAnswer(status: status, isHubs: false))
            guard case .postponed(registration, _, _) = odd else {
                Issue.record("\(odd)")
                return
            }
            #expect(delivery.messages.map(\.content) == [transition(1).content, transition(2).content])
            let asked = answer(&delivery, HubAnswer(status: 404, command: .register))
            guard case .registersFirst = asked else {
                Issue.record("\(asked)")
                return
            }
            #expect(delivery.messages.first == registration)
        }
        #expect(answer(&delivery, HubAnswer(status: 201)) == .delivered(registration, jobStatus: nil))
        #expect(drain(delivery).map(\.content) == [transition(1).content, transition(2).content])
    }

    @Test mutating func `a hub that has refused the registration is obeyed when it asks for it`() {
        var delivery = delivery(registration, transition(1))
        #expect(answer(&delivery, HubAnswer(status: 400)) == .dropped(registration, reason: "HTTP 400"))
        let asked = answer(&delivery, HubAnswer(status: 404, command: .register))
        #expect(asked == .registersFirst(transition(1), reason: "HTTP 404"))
    }

    @Test(arguments: [
        (#"{"status":"success","message":"Telemetry received and processed","timestamp":"x"}"#, true),
        (#"{"status":"completed","backup_id":"b","change_id":"c","message":"m","timestamp":"x"}"#, true),
        (#"{"error":"no such job","details":"d","timestamp":"x"}"#, true),
        (#"{"title":"Not Found","status":404,"detail":"d","command":"register"}"#, true),
        (#"{"attempt":2,"stored_seq":0}"#, true), ("", false), ("{}", false), ("[]", false), ("null", false),
        (#"{"hello":"world"}"#, false),
        ("<html>Sign in</html>", false), ("{\"status\":\"succ", false), ("\0\u{1}", false),
    ])
    func `a hub's answer says how it went`(body: String, isHubs: Bool) {
        #expect(HubAnswer(HTTPResponse(status: 200, body: Array(body.utf8))).isHubs == isHubs)
    }

    @Test mutating func `a hub that has no registration is not asked for it again`() {
        var delivery = delivery(registration, transition(1))
        #expect(answer(&delivery, HubAnswer(status: 404)) == .dropped(registration, reason: "HTTP 404"))
        #expect(answer(&delivery, HubAnswer(status: 404)) == .dropped(transition(1), reason: "HTTP 404"))
        #expect(delivery.count == 0)
    }

    @Test mutating func `a repeat of an earlier run makes the attempt one more`() {
        var delivery = delivery(registration)
        let outcome = answer(
            &delivery,
            HubAnswer(status: 200, jobStatus: "running", attempt: 1, storedSeq: 17)
        )
        guard case .changesAttempt(2, _) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(delivery.attempt == 2)
        #expect(delivery.next(nowMilliseconds: 0) == registration)
        #expect(
            answer(&delivery, HubAnswer(status: 201, attempt: 2, storedSeq: 0))
                == .delivered(registration, jobStatus: nil)
        )
    }

    @Test mutating func `a repeat of this run's own messages changes no attempt`() {
        var delivery = delivery(transition(1), transition(2))
        _ = answer(&delivery, HubAnswer(status: 200))
        _ = answer(&delivery, HubAnswer(status: 404))
        let outcome = answer(&delivery, HubAnswer(status: 200, attempt: 1, storedSeq: 2))
        #expect(outcome == .delivered(registration, jobStatus: nil))
        #expect(delivery.attempt == 1)
    }

    @Test mutating func `a higher stored attempt is passed once`() {
        var delivery = delivery(registration)
        _ = answer(&delivery, HubAnswer(status: 409, jobStatus: "failed", attempt: 4))
        #expect(delivery.attempt == 5)
        let outcome = answer(&delivery, HubAnswer(status: 409, jobStatus: "failed", attempt: 9))
        guard case .jobRefused = outcome else {
            Issue.record("\(outcome)")
            return
        }
    }

    @Test(arguments: [
        HubAnswer(status: 409, jobStatus: "completed", attempt: 1),
        HubAnswer(status: 409, jobStatus: "completed", attempt: 8),
        HubAnswer(status: 409, jobStatus: "running", attempt: 1),
    ])
    mutating func `a completed job, or one with other content, is refused and nothing more is sent`(
        refusal: HubAnswer
    ) {
        var delivery = delivery(registration, transition(1))
        let outcome = answer(&delivery, refusal)
        guard case .jobRefused(let reason) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(reason.contains("--job-id"))
        delivery.add(transition(2))
        #expect(delivery.count == 0)
    }

    @Test mutating func `the end is delivered when the job has it already`() {
        var delivery = delivery(transition(1, .completed))
        let ended = HubAnswer(status: 409, jobStatus: "completed")
        #expect(answer(&delivery, ended) == .delivered(transition(1, .completed), jobStatus: "completed"))
        delivery.add(transition(2, .running))
        #expect(answer(&delivery, ended) == .dropped(transition(2, .running), reason: "HTTP 409"))
        delivery.add(completion)
        #expect(answer(&delivery, ended) == .delivered(completion, jobStatus: "completed"))
    }

    @Test(arguments: [true, false])
    mutating func `once the last disk's completion has ended the job, its end is not told again`(
        isQueued: Bool
    ) {
        var delivery = isQueued ? delivery(completion, transition(9, .completed)) : delivery(completion)
        let ended = HubAnswer(status: 200, jobStatus: "completed")
        #expect(answer(&delivery, ended) == .delivered(completion, jobStatus: "completed"))
        if !isQueued { delivery.add(transition(9, .completed)) }
        #expect(delivery.count == 0)
    }

    @Test mutating func `while the job goes on, its end is told`() {
        var delivery = delivery(completion, transition(9, .completed))
        _ = answer(&delivery, HubAnswer(status: 200, jobStatus: "running"))
        #expect(drain(delivery) == [transition(9, .completed)])
    }

    @Test mutating func `a cancel stops the job, but the client's own is just delivered`() {
        let cancel = HubAnswer(status: 409, jobStatus: "cancelled", command: .cancel)
        var delivery = delivery(transition(1), transition(2, .cancelled))
        #expect(answer(&delivery, cancel) == .jobCancelled(transition(1)))
        #expect(answer(&delivery, cancel) == .delivered(transition(2, .cancelled), jobStatus: "cancelled"))
    }

    @Test mutating func `what is urgent does not wait for our own pause, but for the one that the hub asked`()
    {
        let urgent = Outgoing(content: .telemetry(update(2)), isUrgent: true)
        var delivery = delivery(transition(1))
        _ = delivery.failed(reason: "reset", nowMilliseconds: 0, using: &generator)
        #expect(delivery.next(nowMilliseconds: 0) == nil)
        delivery.add(transition(9))
        #expect(delivery.next(nowMilliseconds: 0) == nil)
        delivery.add(urgent)
        #expect(delivery.next(nowMilliseconds: 0) == transition(1))
        _ = answer(&delivery, HubAnswer(status: 503, retryAfterSeconds: 2))
        delivery.add(urgent)
        #expect(delivery.next(nowMilliseconds: 1999) == nil)
        #expect(delivery.next(nowMilliseconds: 2000) == transition(1))
    }

    @Test mutating func `of an earlier run no higher attempt is made`() {
        let report = SpooledReport(
            identity: JobIdentity(jobID: "j", vmName: "v", backupType: "full"),
            totals: [1],
            attempt: 1,
            seqSentMax: 0,
            messages: [registration, completion]
        )
        var older = Delivery(report, mayChangeAttempt: false)
        guard case .jobRefused = answer(&older, HubAnswer(status: 409, jobStatus: "running", attempt: 2))
        else {
            Issue.record("not refused")
            return
        }
        var newest = Delivery(report, mayChangeAttempt: true)
        _ = answer(&newest, HubAnswer(status: 409, jobStatus: "failed", attempt: 2))
        #expect(newest.attempt == 3)
    }
}
