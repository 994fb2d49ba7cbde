import JobModel
import Metrics
import ServiceKit
import TelemetryContract
import Threading

/// The HTTP contract: request to message, answer to status. Knows no sockets.
///
/// A class: each request's closures hold it, on several threads, and it has much that would be counted one by one.
final class Routes: Sendable {
    typealias Publish = @Sendable (JobMessage, @escaping @Sendable (Outcome) -> Void) -> Void

    let health: Health
    let publish: Publish
    /// Where the ingest's own beats come in.
    private let beatPath: String
    private let beat: @Sendable () -> Void
    let counters = MessageCounters()

    init(
        health: Health,
        beatPath: String = "",
        beat: @escaping @Sendable () -> Void = {},
        publish: @escaping Publish
    ) {
        self.health = health
        self.beatPath = beatPath
        self.beat = beat
        self.publish = publish
    }

    /// Serves one request; the reply comes once, now or when a writer has answered.
    func serve(_ request: DoorRequest, reply: DoorReply) {
        // Nearly all requests are these, and taking a path apart costs more than to know it.
        if let id = Self.plainBackupID(request.pathBytes.span) {
            return method("POST", request, reply) { telemetry(request, id, path: nil, reply) }
        }
        let path = request.path
        // Bytes, since looking for the borders of characters takes longer than all else here.
        let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .dropFirst().map { String(Substring($0)) }
        let isOurs = parts.count > 2 && parts[0] == "api" && parts[1] == "v1"
        switch (parts.count, isOurs ? parts[2] : parts.first) {
        case (5, "telemetry") where isOurs:
            method("POST", request, reply) { telemetry(request, type: parts[3], id: parts[4], reply) }
        case (5, "backups") where isOurs && parts[4] == "complete":
            method("POST", request, reply) { complete(request, id: parts[3], reply) }
        case (5, "backups") where isOurs && parts[4] == "cancel":
            method("POST", request, reply) { cancel(request, id: parts[3], reply) }
        case (3, "backups") where isOurs:
            method("POST", request, reply) { register(request, reply) }
        case (3, "health") where isOurs, (1, "health"):
            method("GET", request, reply) { reply { _ in self.healthReport() } }
        case (2, "beat") where path == beatPath:
            beat()
            reply { _ in DoorResponse(status: 200, contentType: "text/plain", body: []) }
        default:
            refuse(reply, 404, "Not Found", "there is no \(path) here", request)
        }
    }

    private func method(_ name: String, _ request: DoorRequest, _ reply: DoorReply, _ body: () -> Void) {
        guard request.method != name else { return body() }
        let detail = "\(request.path) takes \(name) only"
        let allowed = DoorResponse.Header(name: "allow", value: name)
        refuse(reply, 405, "Method Not Allowed", detail, request, headers: [allowed])
    }

    /// The job id of a backup's telemetry path, if it stands there as it is. nil: the path is another one, or
    /// has escapes or an unusual id.
    private static func plainBackupID(_ path: Span<UInt8>) -> JobID? {
        let start = backupTelemetry.utf8CodeUnitCount
        guard path.has(backupTelemetry, at: 0) else { return nil }
        let id = path.extracting(start...)
        return id.has(either: "/", or: "%") ? nil : JobID(plain: id)
    }

    private func telemetry(_ request: DoorRequest, type: String, id: String, _ reply: DoorReply) {
        guard let type = percentDecoded(type), let jobID = percentDecoded(id).flatMap({ JobID($0) }) else {
            return refuse(reply, 400, "Bad Request", Self.jobIDHelp, request)
        }
        guard type == "backup" else {
            let detail = "job type \"\(type)\" is not known; there is backup"
            return refuse(reply, 422, "Unprocessable Content", detail, request)
        }
        telemetry(request, jobID, path: request.path, reply)
    }

    /// The path is nil where it is the usual one of the job, which is made only for whoever asks.
    private func telemetry(_ request: DoorRequest, _ jobID: JobID, path: String?, _ reply: DoorReply) {
        do {
            let report = try TelemetryDecoder.report(body: request.body.span, jobType: "backup", jobID: jobID)
            let exchange = TelemetryExchange(self, jobID, path: path, hasSeq: report.seq != nil, reply)
            publish(.report(report)) { exchange.take($0) }
        } catch {
            refuse(reply, error, request, legacy: false)
        }
    }

    private func complete(_ request: DoorRequest, id: String, _ reply: DoorReply) {
        guard let jobID = percentDecoded(id).flatMap({ JobID($0) }) else {
            return refuse(reply, 400, "Bad Request", Self.jobIDHelp, request, legacy: true)
        }
        do {
            let completion = try TelemetryDecoder.completion(body: request.body.span, jobID: jobID)
            let (path, changeID) = (request.path, completion.changeID)
            publish(.completion(completion)) { outcome in
                reply { _ in
                    self.response(to: outcome, jobID, path, legacy: true) { answer, now in
                        ContractJSON.completion(
                            answer,
                            jobID: jobID,
                            changeID: changeID,
                            nowMilliseconds: now
                        )
                    }
                }
            }
        } catch {
            refuse(reply, error, request, legacy: true)
        }
    }

    private func cancel(_ request: DoorRequest, id: String, _ reply: DoorReply) {
        guard let jobID = percentDecoded(id).flatMap({ JobID($0) }) else {
            return refuse(reply, 400, "Bad Request", Self.jobIDHelp, request)
        }
        do {
            let cancel = try TelemetryDecoder.cancelRequest(body: request.body.span, jobID: jobID)
            let path = request.path
            publish(.cancel(cancel)) { outcome in
                reply { _ in
                    self.response(to: outcome, jobID, path, legacy: false) { answer, now in
                        ContractJSON.cancel(answer, jobID: jobID, nowMilliseconds: now)
                    }
                }
            }
        } catch {
            refuse(reply, error, request, legacy: false)
        }
    }

    private func register(_ request: DoorRequest, _ reply: DoorReply) {
        do {
            let registration = try TelemetryDecoder.registration(body: request.body.span)
            let (path, jobID) = (request.path, registration.jobID)
            publish(.registration(registration)) { outcome in
                reply { _ in
                    self.response(to: outcome, jobID, path, legacy: false) { answer, now in
                        ContractJSON.registration(answer, jobID: jobID, nowMilliseconds: now)
                    }
                }
            }
        } catch {
            refuse(reply, error, request, legacy: false)
        }
    }

    /// Always 200 while the process lives; the body says whether the path behind it is whole.
    private func healthReport() -> DoorResponse {
        let reasons = health.reasons + health.remarks
        return DoorResponse(
            status: 200,
            body: ContractJSON.health(
                service: "sendense-ingest",
                reasons: reasons,
                nowMilliseconds: WallClock.nowMilliseconds
            )
        )
    }

    static let backupTelemetry: StaticString = "/api/v1/telemetry/backup/"
    private static let jobIDHelp =
        "the path's job id must have 1 to 64 characters, no control characters, and no space at either end"
}
