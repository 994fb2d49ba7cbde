import Foundation
import TestSupport

/// The telemetry API, spoken to as a client does: one connection for each request.
struct Hub {
    /// One telemetry message; bytes and totals by disk.
    struct Message {
        var job: String
        var attempt = 1
        var seq: Int
        var bytes: [Int64]
        var totals: [Int64]
        var status = "running"
        var phase = "transferring"

        /// As JSON.
        var text: String {
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

    let port: Int

    init(_ stack: Stack) throws { port = try stack.ingestPort() }

    func get(_ path: String) throws -> HTTPReply { try HTTPConnection(port: port).request("GET", path) }

    func post(_ path: String, _ body: String) throws -> HTTPReply {
        try HTTPConnection(port: port).request("POST", path, body: body)
    }

    /// Registers a job with disks of these sizes, and with values for the columns that an adopted database
    /// demands.
    func register(
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

    func telemetry(_ message: Message) throws -> HTTPReply {
        try post("/api/v1/telemetry/backup/\(message.job)", message.text)
    }

    /// Posts a client's request.
    @discardableResult
    func send(_ request: ClientRequest) throws -> HTTPReply { try post(request.path, request.body) }

    /// Says that a disk is done, as an old client does: its bytes are always 0.
    func complete(_ job: String, disk: Int) throws -> HTTPReply {
        try post(
            "/api/v1/backups/\(job)/complete",
            #"{"change_id":"52 66 8c 2d/\#(disk)","disk_id":\#(disk),"bytes_transferred":0}"#
        )
    }
}
