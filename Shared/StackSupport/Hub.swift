import Foundation
package import TestSupport

/// The telemetry API, spoken to as a client does: one connection for each request.
package struct Hub {
    /// One telemetry message; bytes and totals by disk.
    package struct Message {
        package var job: String
        package var attempt: Int
        package var seq: Int
        package var bytes: [Int64]
        package var totals: [Int64]
        package var status: String
        package var phase: String

        package init(
            job: String,
            attempt: Int = 1,
            seq: Int,
            bytes: [Int64],
            totals: [Int64],
            status: String = "running",
            phase: String = "transferring"
        ) {
            self.job = job
            self.attempt = attempt
            self.seq = seq
            self.bytes = bytes
            self.totals = totals
            self.status = status
            self.phase = phase
        }

        /// As JSON.
        package var text: String {
            let disks = zip(bytes, totals).enumerated().map { index, disk in
                """
                {"disk_index":\(index),"bytes_transferred":\(disk.0),"total_bytes":\(disk.1),\
                "status":"transferring","progress_percent":0}
                """
            }
            return """
                {"job_id":"\(job)","job_type":"backup","status":"\(status)","current_phase":"\(phase)",\
                "bytes_transferred":\(bytes.reduce(0, +)),"total_bytes":\(totals.reduce(0, +)),\
                "transfer_speed_bps":1048576,"eta_seconds":60,"progress_percent":0,\
                "disks":[\(disks.joined(separator: ","))],"timestamp":"2025-10-10T14:23:45Z",\
                "attempt":\(attempt),"seq":\(seq)}
                """
        }
    }

    package let port: Int

    package init(port: Int) { self.port = port }

    package init(_ stack: Stack) throws { port = try stack.ingestPort() }

    package func get(_ path: String) throws -> HTTPReply {
        try HTTPConnection(port: port).request("GET", path)
    }

    package func post(_ path: String, _ body: String) throws -> HTTPReply {
        try HTTPConnection(port: port).request("POST", path, body: body)
    }

    /// Registers a job with disks of these sizes, and with values for the columns that an adopted database
    /// demands.
    package func register(
        _ job: String,
        vm: String,
        type: String = "full",
        totals: [Int64],
        telemetry: Bool,
        columns: [(name: String, value: String)] = []
    ) throws -> HTTPReply {
        let disks = totals.enumerated().map { #"{"disk_index":\#($0),"total_bytes":\#($1)}"# }
        return try post(
            "/api/v1/backups",
            """
            {"job_id":"\(job)","vm_name":"\(vm)","backup_type":"\(type)",\
            "disks":[\(disks.joined(separator: ","))],"telemetry":\(telemetry)\
            \(columns.map { #","\#($0.name)":"\#($0.value)""# }.joined())}
            """
        )
    }

    package func telemetry(_ message: Message) throws -> HTTPReply {
        try post("/api/v1/telemetry/backup/\(message.job)", message.text)
    }

    /// Posts a client's request.
    @discardableResult
    package func send(_ request: ClientRequest) throws -> HTTPReply { try post(request.path, request.body) }

    /// Says that a disk is done, as an old client does: its bytes are always 0.
    package func complete(_ job: String, disk: Int) throws -> HTTPReply {
        try post(
            "/api/v1/backups/\(job)/complete",
            #"{"change_id":"52 66 8c 2d/\#(disk)","disk_id":\#(disk),"bytes_transferred":0}"#
        )
    }
}
