import JobModel
import Metrics
import TelemetryContract
import Threading

extension Routes {
    /// The response that an answer becomes: `success` renders the body where the message was taken.
    func response(
        to outcome: Outcome,
        _ jobID: JobID,
        _ path: @autoclosure () -> String,
        legacy: Bool,
        success: (_ answer: Answer, _ nowMilliseconds: Int64) -> [UInt8]
    ) -> DoorResponse {
        let now = WallClock.nowMilliseconds
        guard case .answered(let answer) = outcome else {
            counters.kept.increment()
            return DoorResponse(status: 202, body: ContractJSON.accepted(jobID: jobID, nowMilliseconds: now))
        }
        counters[answer.verdict].increment()
        switch answer.verdict {
        case .applied, .repeated, .superseded:
            return DoorResponse(status: 200, body: success(answer, now))
        case .created:
            return DoorResponse(status: 201, body: success(answer, now))
        case .unknownJob, .unknownDisk:
            return document(404, "Not Found", answer, path(), legacy, now)
        case .terminal, .conflict:
            return document(409, "Conflict", answer, path(), legacy, now)
        case .rejected:
            return document(422, "Unprocessable Content", answer, path(), legacy, now)
        case .unavailable, .held:
            var response = document(503, "Service Unavailable", answer, path(), legacy, now)
            response.headers.append(DoorResponse.Header(name: "retry-after", value: "1"))
            return response
        }
    }

    /// Refuses a body as the contract does.
    func refuse(_ reply: DoorReply, _ error: ContractError, _ request: DoorRequest, legacy: Bool) {
        // Not the request itself, here and below: its bytes are lent.
        let path = request.path
        reply { _ in
            self.counters.refused.increment()
            let now = legacy ? WallClock.nowMilliseconds : nil
            return DoorResponse(ProblemDocument(error, instance: path), legacyMilliseconds: now)
        }
    }

    /// Says what is wrong with the request itself.
    func refuse(
        _ reply: DoorReply,
        _ status: Int,
        _ title: String,
        _ detail: String,
        _ request: DoorRequest,
        legacy: Bool = false,
        headers: [DoorResponse.Header] = []
    ) {
        let path = request.path
        reply { _ in
            let document = ProblemDocument(status: status, title: title, detail: detail, instance: path)
            let now = legacy ? WallClock.nowMilliseconds : nil
            var response = DoorResponse(document, legacyMilliseconds: now)
            response.headers = headers
            return response
        }
    }

    private func document(
        _ status: Int,
        _ title: String,
        _ answer: Answer,
        _ path: String,
        _ legacy: Bool,
        _ now: Int64
    ) -> DoorResponse {
        let document = ProblemDocument(status: status, title: title, answer: answer, instance: path)
        return DoorResponse(document, legacyMilliseconds: legacy ? now : nil)
    }
}

extension DoorResponse {
    fileprivate init(_ document: ProblemDocument, legacyMilliseconds: Int64?) {
        self.init(
            status: document.status,
            contentType: ProblemDocument.mediaType,
            body: document.json(legacyMilliseconds: legacyMilliseconds)
        )
    }
}

/// How many messages got which answer. The metrics are looked up once: by their names that costs more than to serve a
/// request.
struct MessageCounters: Sendable {
    /// Messages that are on this machine's disk.
    let kept = counter("kept")
    /// Bodies that the contract refuses.
    let refused = counter("refused")
    private let applied = counter(Verdict.applied.rawValue)
    private let others: [Verdict: Counter] = Dictionary(
        uniqueKeysWithValues: Verdict.allCases.filter { $0 != .applied }.map { ($0, counter($0.rawValue)) }
    )

    /// Nearly all are applied, and a look into the dictionary hashes the verdict's name.
    subscript(verdict: Verdict) -> Counter {
        verdict == .applied ? applied : others[verdict] ?? refused
    }

    private static func counter(_ verdict: String) -> Counter {
        Counter(label: "sendense_ingest_messages_total", dimensions: [("verdict", verdict)])
    }
}

/// A path segment with its percent-escapes resolved. nil if they make no sense or no UTF-8.
func percentDecoded(_ text: String) -> String? {
    guard text.utf8.contains(UInt8(ascii: "%")) else { return text }
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "%") else {
            bytes.append(byte)
            continue
        }
        guard let high = rest.popFirst().flatMap(hexValue), let low = rest.popFirst().flatMap(hexValue) else {
            return nil
        }
        bytes.append(high << 4 | low)
    }
    return String(validating: bytes, as: UTF8.self)
}

private func hexValue(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
}
