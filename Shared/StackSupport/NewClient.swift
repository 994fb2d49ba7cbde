package import TestSupport

/// A backup as our own client tells it, as a list of requests.
package struct NewClient {
    package let job: String
    package let totals: [Int64]

    package init(job: String, totals: [Int64]) {
        self.job = job
        self.totals = totals
    }

    /// All requests behind the registration, in the order in which they are sent: both disks move at once.
    package func backup(steps: Int = 3) -> [ClientRequest] {
        var seq = 0
        func telemetry(_ step: Int, phase: String = "transferring") -> ClientRequest {
            seq += 1
            let message = Hub.Message(
                job: job,
                seq: seq,
                bytes: totals.map { $0 / Int64(steps) * Int64(step) },
                totals: totals,
                phase: phase
            )
            return ClientRequest(
                .progress,
                disk: 0,
                path: "/api/v1/telemetry/backup/\(job)",
                body: message.text
            )
        }
        let requests = [telemetry(0, phase: "snapshot")] + (0...steps).map { telemetry($0) }
        return requests + [telemetry(steps, phase: "finalizing")] + totals.indices.map { complete($0, steps) }
    }

    /// `/complete` of a disk with all bytes that `backup` tells of it.
    private func complete(_ disk: Int, _ steps: Int) -> ClientRequest {
        ClientRequest(
            .completion,
            disk: disk,
            path: "/api/v1/backups/\(job)/complete",
            body: "{\"change_id\":\"\(OldClient.changeID(disk: disk))\",\"disk_id\":\(disk),"
                + "\"bytes_transferred\":\(totals[disk] / Int64(steps) * Int64(steps)),\"attempt\":1}"
        )
    }
}
