public import JobModel

/// Renders the answers of the HTTP contract to requests that were taken.
///
/// Where the job stands (`job_status`, `attempt`, `stored_seq`) is told as far as it is known: an answer
/// without a job status has no `job_status`, one with attempt 0 has neither `attempt` nor `stored_seq`.
public enum ContractJSON {
    /// The message that old clients are used to after telemetry was stored.
    public static let telemetryMessage: StaticString = "Telemetry received and processed"
    /// The message that old clients are used to after a completion was stored.
    public static let completionMessage = "Backup completed successfully, change_id recorded"

    /// Writes the answer to a telemetry message that was taken, a JSON object, over what is there: nearly all answers are
    /// these, and memory that is there costs nothing.
    ///
    /// - Parameters:
    ///   - answer: where the job stands now.
    ///   - message: what became of the message. No character of it needs an escape.
    ///   - nowMilliseconds: the time, in milliseconds since 1970 UTC.
    ///   - bytes: what it is written over.
    public static func telemetry(
        _ answer: Answer,
        message: StaticString = telemetryMessage,
        nowMilliseconds: Int64,
        over bytes: inout [UInt8]
    ) {
        bytes.removeAll(keepingCapacity: true)
        // All at once: a `JSONWriter` asks for room for each member.
        bytes.append(addingCapacity: 192 + message.utf8CodeUnitCount) { output in
            output.append(copying: #"{"status":"success","message":""#)
            output.append(copying: message)
            output.append(copying: #"","timestamp":""#)
            RFC3339.append(milliseconds: nowMilliseconds, to: &output)
            output.append(UInt8(ascii: "\""))
            if let status = answer.jobStatus {
                output.append(copying: #","job_status":""#)
                output.append(copying: status.rawValue.utf8.span)
                output.append(UInt8(ascii: "\""))
            }
            if answer.attempt > 0 {
                output.append(copying: #","attempt":"#)
                output.append(decimal: answer.attempt)
                output.append(copying: #","stored_seq":"#)
                output.append(decimal: answer.storedSeq)
            }
            output.append(UInt8(ascii: "}"))
        }
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
