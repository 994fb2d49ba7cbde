internal import Logging

extension Outgoing {
    /// The log's words for a delivered message; the first is the one that operators search for.
    var sentText: Logger.Message {
        switch content {
        case .telemetry: "SHA telemetry update sent"
        case .registration: "job registered with the hub"
        case .completion: "disk completion sent"
        }
    }

    /// What the log says of a message, besides what became of it.
    func metadata(jobID: String, attempt: Int64) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["job_id": "\(jobID)", "attempt": "\(attempt)"]
        switch content {
        case .registration:
            metadata["message"] = "registration"
        case .completion(let diskIndex, _, _):
            metadata["message"] = "completion"
            metadata["disk"] = "\(diskIndex)"
        case .telemetry(let update):
            metadata["seq"] = "\(update.seq)"
            metadata["status"] = "\(update.status.rawValue)"
            metadata["phase"] = "\(update.progress.phase.name)"
            metadata["percent"] = "\((update.progress.percent * 100).rounded(.down) / 100)"
        }
        return metadata
    }
}
