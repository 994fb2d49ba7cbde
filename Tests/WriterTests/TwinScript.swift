import JobModel
import TestSupport

/// What some clients, old and new, say: progress for the most part, and whatever else there is.
struct TwinScript {
    struct Message {
        var message: JobMessage
        var ageMilliseconds: Int64
    }

    private struct Client {
        let id: JobID
        let isOld: Bool
        let totals: [Int64]
        var bytes: [Int64]
        var attempt: Int64 = 1
        var seq: Int64 = 0
        var done: Set<Int> = []
    }

    /// Changes of rows by others; each makes another job of what a lane remembers.
    static let interventions = [
        "UPDATE backup_jobs SET status = 'stalled', error_message = 'stalled' WHERE id = '{id}'",
        "UPDATE backup_jobs SET status = 'failed', presumed = 1, error_message = 'silent' WHERE id = '{id}'",
        "UPDATE backup_jobs SET status = 'cancelled' WHERE id = '{id}'",
        "UPDATE backup_jobs SET attempt = attempt + 1 WHERE id = '{id}'",
        "UPDATE backup_jobs SET telemetry_seq = telemetry_seq + 2 WHERE id = '{id}'",
        "UPDATE backup_jobs SET telemetry_key_ms = 1790000000000, telemetry_key_rank = 0 WHERE id = '{id}'",
        "UPDATE backup_jobs SET telemetry_key_rank = 1, telemetry_key_ms = 5 WHERE id = '{id}'",
        "UPDATE backup_jobs SET telemetry_key_rank = 1 WHERE id = '{id}'",
        "UPDATE backup_jobs SET error_message = 'by hand' WHERE id = '{id}'",
        "UPDATE backup_jobs SET presumed = 1 WHERE id = '{id}'",
        "UPDATE backup_disks SET bytes_transferred = 777 WHERE backup_job_id = '{id}' AND disk_index = 1",
        "UPDATE backup_disks SET status = 'completed' WHERE backup_job_id = '{id}' AND disk_index = 0",
        "UPDATE backup_disks SET status = 'failed' WHERE backup_job_id = '{id}' AND disk_index = 0",
        "UPDATE backup_disks SET total_bytes = 52000 WHERE backup_job_id = '{id}' AND disk_index = 1",
        "DELETE FROM backup_disks WHERE backup_job_id = '{id}' AND disk_index = 1",
        "INSERT IGNORE INTO backup_disks (backup_job_id, disk_index, total_bytes) VALUES ('{id}', 7, 500)",
        // One too many and one too few, in one statement.
        "UPDATE IGNORE backup_disks SET disk_index = 9 WHERE backup_job_id = '{id}' AND disk_index = 1",
        "UPDATE backup_jobs SET history_ms = 5 WHERE id = '{id}'",
        "DELETE FROM backup_jobs WHERE id = '{id}'",
    ]

    /// Changes that make no difference to the next progress.
    static let indifferent = [
        "UPDATE backup_jobs SET last_telemetry_at = NULL, last_contact_ms = NULL WHERE id = '{id}'",
        // The same as transferring, which it comes to be by the next progress.
        "UPDATE backup_disks SET status = 'running' WHERE backup_job_id = '{id}' AND disk_index = 0",
    ]

    private var clients: [Client]
    private var clock: Int64 = 1_759_000_000_000

    init(jobCount: Int) {
        clients = (0..<jobCount).map { number in
            // One has more disks than most: as many as a lane remembers.
            let diskCount = number == 0 ? 31 : number % 3 == 2 ? 4 : 2
            let totals = (0..<diskCount).map { Int64(50_000 + $0 * 1000) }
            return Client(
                id: .known("job-\(number)"),
                isOld: number % 2 == 1,
                totals: totals,
                bytes: totals.map { _ in 0 }
            )
        }
    }

    /// Every client's registration.
    func registrations() -> [Message] {
        clients.map { Message(message: .registration(Self.registration($0)), ageMilliseconds: 0) }
    }

    /// Every client's next progress.
    mutating func progress() -> [Message] {
        clock += 2000
        return clients.indices.map { index in
            for disk in clients[index].bytes.indices { clients[index].bytes[disk] += 10 }
            return Message(message: .report(Self.report(&clients[index], clock)), ageMilliseconds: 0)
        }
    }

    /// Mostly progress, of any clients, several of one among it.
    mutating func batch(_ generator: inout SplitMix64) -> [Message] {
        clock += Int64.random(in: 0...3, using: &generator) * 1000
        return (0..<Int.random(in: 1...24, using: &generator)).map { _ in
            let index = Int.random(in: clients.indices, using: &generator)
            return Message(
                message: Self.message(clock, &clients[index], &generator),
                ageMilliseconds: [0, 0, 0, 20_000, 100_000].randomElement(using: &generator) ?? 0
            )
        }
    }

    /// What others do to rows meanwhile: mostly nothing.
    func intervention(_ generator: inout SplitMix64) -> [String] {
        guard Int.random(in: 0..<4, using: &generator) == 0 else { return [] }
        return (0..<Int.random(in: 1...2, using: &generator)).compactMap { _ in
            let id = clients.randomElement(using: &generator)?.id.rawValue ?? ""
            return (Self.interventions + Self.indifferent).randomElement(using: &generator)?.replacing(
                "{id}",
                with: id
            )
        }
    }

    private static func message(
        _ clock: Int64,
        _ client: inout Client,
        _ generator: inout SplitMix64
    ) -> JobMessage {
        switch Int.random(in: 0..<40, using: &generator) {
        case 0..<4:
            client.attempt += Int64.random(in: 0...1, using: &generator)
            client.seq = 0
            client.done = []
            client.bytes = client.totals.map { _ in 0 }
            return .registration(registration(client))
        case 4:
            let disk = Int.random(in: client.totals.indices, using: &generator)
            client.done.insert(disk)
            return .completion(
                DiskCompletion(jobID: client.id, diskIndex: Int32(disk), changeID: "c\(disk)", bytes: 0)
            )
        case 5 where Int.random(in: 0..<5, using: &generator) == 0:
            return .cancel(CancelRequest(jobID: client.id))
        case 6: client.done.insert(0)
        default: break
        }
        for disk in client.bytes.indices {
            client.bytes[disk] += Int64.random(
                in: Bool.random(using: &generator) ? 0...300 : -1...3,
                using: &generator
            )
        }
        var report = report(&client, clock)
        switch Int.random(in: 0..<90, using: &generator) {
        case 0: report.seq = report.seq.map { max(1, $0 - Int64.random(in: 1...3, using: &generator)) }
        case 1: report.status = [.completed, .failed, .cancelled].randomElement(using: &generator) ?? .failed
        case 2: report.error = "broken"
        case 3: report.phase = ""
        case 4: report.speed = Bool.random(using: &generator) ? nil : 0
        case 5: report.disks = []
        case 6: report.disks = report.disks.dropLast()
        case 7 where !report.disks.isEmpty:
            report.disks[0].total = [nil, 60_000].randomElement(using: &generator) ?? nil
        case 8 where !report.disks.isEmpty:
            report.disks[0].status = DiskStatus.allCases.randomElement(using: &generator) ?? .pending
        case 9: report.disks.append(DiskReport(index: 8, bytes: 1, total: 1, status: .pending))
        case 10: report.timestampMilliseconds = nil
        case 11: report.status = .pending
        case 12: report.etaSeconds = nil
        default: break
        }
        return .report(report)
    }

    private static func report(_ client: inout Client, _ clock: Int64) -> Report {
        client.seq += 1
        let disks = client.totals.indices.map { disk in
            DiskReport(
                index: Int32(disk),
                bytes: max(0, client.bytes[disk]),
                total: client.totals[disk],
                status: client.done.contains(disk) ? .completed : .transferring
            )
        }
        let isBare = client.isOld && client.seq % 2 == 0
        return Report(
            jobID: client.id,
            status: .running,
            phase: client.seq % 7 == 0 ? "snapshot" : "transferring",
            bytes: isBare ? disks[0].bytes : disks.reduce(0) { $0 + $1.bytes },
            total: isBare ? client.totals[0] : client.totals.reduce(0, +),
            speed: 1000 + client.seq,
            etaSeconds: Int32(1000 + client.seq),
            percentHundredths: 4200,
            disks: isBare ? [] : disks,
            timestampMilliseconds: clock + client.seq * 10,
            attempt: client.isOld ? nil : client.attempt,
            seq: client.isOld ? nil : client.seq
        )
    }

    private static func registration(_ client: Client) -> Registration {
        Registration(
            jobID: client.id,
            vmName: "vm",
            backupType: .full,
            repositoryID: "repo-1",
            disks: client.totals.enumerated().map { RegisteredDisk(index: Int32($0), total: $1) },
            announcesTelemetry: true,
            attempt: client.isOld ? nil : client.attempt,
            columns: [
                "vm_context_id": .text("ctx-pgtest1"), "repository_path": .text("/p"),
                "vm_backup_context_id": .text("ctx-backup-pgtest1-1759900000"),
            ]
        )
    }
}
