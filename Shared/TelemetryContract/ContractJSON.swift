public import JobModel

/// Renders the answers of the HTTP contract to requests that were taken.
///
/// Where the job stands (`job_status`, `attempt`, `stored_seq`) is told as far as it is known: an answer
/// without a job status has no `job_status`, one with attempt 0 has neither `attempt` nor `stored_seq`.
public enum ContractJSON {
    /// The message that old clients are used to after telemetry was stored.
    public static let telemetryMessage = "Telemetry received and processed"
    /// The message that old clients are used to after a completion was stored.
    public static let completionMessage = "Backup completed successfully, change_id recorded"

    /// The answer to a telemetry message that was taken.
    ///
    /// - Parameters:
    ///   - answer: where the job stands now.
    ///   - message: what became of the message.
    ///   - nowMilliseconds: the time, in milliseconds since 1970 UTC.
    /// - Returns: a JSON object.
    public static func telemetry(
        _ answer: Answer,
        message: String = telemetryMessage,
        nowMilliseconds: Int64
    ) -> [UInt8] {
        var object = JSONWriter()
        object.member("status", plain: "success")
        object.member("message", message)
        object.member("timestamp", atMilliseconds: nowMilliseconds)
        object.standing(answer.jobStatus, attempt: answer.attempt, storedSeq: answer.storedSeq)
        return object.finished()
    }

    /// The answer to a disk's completion that was taken.
    ///
    /// - Parameters:
    ///   - answer: where the job stands now.
    ///   - jobID: the backup's id.
    ///   - changeID: the change id that the client told.
    ///   - message: what became of the completion.
    ///   - nowMilliseconds: the time, in milliseconds since 1970 UTC.
    /// - Returns: a JSON object.
    public static func completion(
        _ answer: Answer,
        jobID: JobID,
        changeID: String,
        message: String = completionMessage,
        nowMilliseconds: Int64
    ) -> [UInt8] {
        var object = JSONWriter()
        // "completed" whatever the job's status: the request completed one disk, and old clients look for it.
        object.member("status", plain: "completed")
        object.member("backup_id", jobID.rawValue)
        object.member("change_id", changeID)
        object.member("message", message)
        object.member("timestamp", atMilliseconds: nowMilliseconds)
        object.standing(answer.jobStatus, attempt: answer.attempt, storedSeq: answer.storedSeq)
        return object.finished()
    }

    /// The answer to telemetry or a completion that is on ingest's disk and not in the database yet.
    ///
    /// - Parameters:
    ///   - jobID: the backup's id.
    ///   - nowMilliseconds: the time, in milliseconds since 1970 UTC.
    /// - Returns: a JSON object.
    public static func accepted(jobID: JobID, nowMilliseconds: Int64) -> [UInt8] {
        var object = JSONWriter()
        object.member("status", plain: "accepted")
        object.member("backup_id", jobID.rawValue)
        object.member("message", "Accepted; it will be stored once the database can be reached again")
        object.member("timestamp", atMilliseconds: nowMilliseconds)
        return object.finished()
    }

    /// The answer to a request to cancel that was taken.
    ///
    /// - Parameters:
    ///   - answer: where the job stands now.
    ///   - jobID: the backup's id.
    ///   - nowMilliseconds: the time, in milliseconds since 1970 UTC.
    /// - Returns: a JSON object.
    public static func cancel(_ answer: Answer, jobID: JobID, nowMilliseconds: Int64) -> [UInt8] {
        var object = JSONWriter()
        object.member("status", plain: "cancelled")
        object.member("backup_id", jobID.rawValue)
        object.member("message", "The backup is cancelled; its client stops with its next report")
        object.member("timestamp", atMilliseconds: nowMilliseconds)
        object.standing(answer.jobStatus, attempt: answer.attempt, storedSeq: answer.storedSeq)
        return object.finished()
    }

    /// The answer to a registration that was taken: `created`, or `exists` for any other verdict.
    ///
    /// - Parameters:
    ///   - answer: where the job stands now.
    ///   - jobID: the backup's id.
    ///   - nowMilliseconds: the time, in milliseconds since 1970 UTC.
    /// - Returns: a JSON object.
    public static func registration(_ answer: Answer, jobID: JobID, nowMilliseconds: Int64) -> [UInt8] {
        var object = JSONWriter()
        object.member("status", answer.verdict == .created ? "created" : "exists")
        object.member("backup_id", jobID.rawValue)
        object.standing(answer.jobStatus, attempt: answer.attempt, storedSeq: answer.storedSeq)
        object.member("timestamp", atMilliseconds: nowMilliseconds)
        return object.finished()
    }
}

extension JSONWriter {
    /// Writes where a job stands, as far as it is known.
    mutating func standing(_ status: JobStatus?, attempt: Int64, storedSeq: Int64) {
        if let status { member("job_status", status.rawValue) }
        guard attempt > 0 else { return }
        member("attempt", attempt)
        member("stored_seq", storedSeq)
    }
}

extension ContractJSON {
    /// The answer to a health question: `ok`, or `degraded` and why.
    ///
    /// - Parameters:
    ///   - service: the program's name.
    ///   - reasons: what is in the way of its work; empty if nothing is.
    ///   - nowMilliseconds: the time, in milliseconds since 1970 UTC.
    /// - Returns: a JSON object.
    public static func health(service: String, reasons: [String], nowMilliseconds: Int64) -> [UInt8] {
        var object = JSONWriter()
        object.member("status", reasons.isEmpty ? "ok" : "degraded")
        object.member("service", service)
        object.member("reasons", reasons)
        object.member("timestamp", atMilliseconds: nowMilliseconds)
        return object.finished()
    }
}
