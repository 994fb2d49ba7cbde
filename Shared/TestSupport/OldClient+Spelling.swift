internal import Foundation

extension OldClient {
    /// The numbers of a message.
    struct Numbers {
        var bytes: Int64 = 0
        var total: Int64 = 0
        var speed: Int64 = 0
        var eta: Int64 = 0
        var percent = "0"

        static let zero = Numbers()
    }

    /// A telemetry message: every member is always there, in this order.
    mutating func telemetry(
        _ role: ClientRequest.Role,
        disk: Int,
        status: String,
        phase: String,
        numbers: Numbers,
        error: String? = nil
    ) -> ClientRequest {
        let entries = generation == .withDisks ? entries(at: disk, role) : ""
        let error = error.map { ",\"error\":\($0)" } ?? (below(2) == 0 ? "" : ",\"error\":null")
        return ClientRequest(
            role,
            disk: disk,
            path: "/api/v1/telemetry/backup/\(job)",
            body: "{\"job_id\":\"\(job)\",\"job_type\":\"backup\",\"status\":\"\(status)\","
                + "\"current_phase\":\"\(phase)\",\"bytes_transferred\":\(numbers.bytes),"
                + "\"total_bytes\":\(numbers.total),\"transfer_speed_bps\":\(numbers.speed),"
                + "\"eta_seconds\":\(numbers.eta),\"progress_percent\":\(numbers.percent),"
                + "\"disks\":[\(entries)]\(error),\"timestamp\":\"\(time())\"}"
        )
    }

    /// The disks' entries: those that have ended, the one it is at, and perhaps those that wait.
    private mutating func entries(at disk: Int, _ role: ClientRequest.Role) -> String {
        // The end of a disk is told with an entry of zeroes, or with none.
        if role == .completed || role == .failed {
            guard below(2) == 0 else { return "" }
            let word = role == .failed ? "failed" : "completed"
            return entry(disk, bytes: 0, total: 0, word, percent: "0")
        }
        let showsWaiting = below(2) == 0
        var texts: [String] = []
        for index in totals.indices {
            guard index <= disk || showsWaiting else { break }
            let word =
                ended.contains(index)
                ? "completed" : index > disk ? "pending" : below(2) == 0 ? "transferring" : "running"
            texts.append(
                entry(
                    index,
                    bytes: told[index],
                    total: totals[index],
                    word,
                    percent: percent(told[index], of: totals[index])
                )
            )
        }
        return texts.joined(separator: ",")
    }

    private func entry(
        _ index: Int,
        bytes: Int64,
        total: Int64,
        _ status: String,
        percent: String
    ) -> String {
        "{\"disk_index\":\(index),\"bytes_transferred\":\(bytes),\"total_bytes\":\(total),"
            + "\"status\":\"\(status)\",\"progress_percent\":\(percent)}"
    }

    /// A percentage as the client reckons: on a sparse disk it passes 100, and what the table can hold.
    mutating func percent(_ bytes: Int64, of total: Int64) -> String {
        let factors = [1.0, 1.0, 1.37, 31.0]
        let factor = factors[Int(below(Int64(factors.count)))]
        return total == 0 ? "0" : String(format: "%.4g", Double(bytes) / Double(total) * 100 * factor)
    }

    /// The client's time, at some UTC offset.
    mutating func time() -> String {
        let minutes = [0, -180, -420, 330, 825, -570][Int(below(6))]
        let formatter = ISO8601DateFormatter()
        formatter.timeZone = TimeZone(secondsFromGMT: minutes * 60)
        return formatter.string(from: Date(timeIntervalSince1970: TimeInterval(second)))
    }
}
