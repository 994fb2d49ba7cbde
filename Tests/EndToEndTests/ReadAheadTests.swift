import Database
import StackSupport
import TestSupport
import Testing

extension EndToEndTests {
    /// Running jobs that the writer knows before they are heard of.
    @Suite(.stack(), .timeLimit(.minutes(3)))
    struct ReadAheadTests {
        private static let total: Int64 = 1_000_000

        /// Running jobs of two disks each as a hub makes them by itself: with a word of its own, and never heard of.
        private static func make(_ connection: Connection, _ numbers: Range<Int>) throws {
            try connection.execute(
                """
                INSERT INTO backup_jobs (id, vm_name, backup_type, status, current_phase, total_bytes, started_at)
                SELECT CONCAT('backup-known-', seq), 'known', 'full', 'running', 'transferring',
                  \(2 * total), NOW()
                FROM seq_\(numbers.lowerBound)_to_\(numbers.upperBound - 1)
                """
            )
            try connection.execute(
                """
                INSERT INTO backup_disks (backup_job_id, disk_index, status, total_bytes)
                SELECT CONCAT('backup-known-', jobs.seq), disks.seq, 'running', \(total)
                FROM seq_\(numbers.lowerBound)_to_\(numbers.upperBound - 1) AS jobs, seq_0_to_1 AS disks
                """
            )
        }

        /// Each job's first message: 32 clients share them.
        private static func report(_ hub: Hub, _ numbers: Range<Int>) throws {
            let clients = (0..<32).map { client in
                ThreadRun {
                    let connection = try HTTPConnection(port: hub.port)
                    for number in numbers where number % 32 == client {
                        let message = Hub.Message(
                            job: "backup-known-\(number)",
                            seq: 1,
                            bytes: [Int64(number) + 1, 7],
                            totals: [total, total]
                        )
                        let reply = try connection.request(
                            "POST",
                            "/api/v1/telemetry/backup/\(message.job)",
                            body: message.text
                        )
                        #expect(reply.status == 200, "\(message.job): \(reply.text)")
                    }
                }
            }
            for client in clients { try client.value() }
        }

        /// A counter of the writer's.
        private static func counter(_ stack: Stack, _ name: String) throws -> Int {
            let address = try #require(try stack.settings()["SENDENSE_WRITER_ADMIN"])
            let port = try #require(address.split(separator: ":").last.flatMap { Int($0) })
            let text = try HTTPConnection(port: port).request("GET", "/metrics").text
            let line = text.split(separator: "\n").first { $0.hasPrefix("\(name) ") }
            return line?.split(separator: " ").last.flatMap { Int($0) } ?? 0
        }

        @Test func `running jobs that others made go the fast way from their first message on`() throws {
            let stack = try stack()
            let (hub, connection) = (try Hub(stack), try stack.connection())
            try Self.make(connection, 0..<200)
            try stack.stop(.writer)
            try stack.start(.writer)
            func readCount() throws -> Int {
                try Self.counter(stack, "sendense_writer_jobs_read_ahead_total")
            }
            func fastCount() throws -> Int {
                try Self.counter(stack, "sendense_writer_fast_messages_total")
            }
            // Other suites have left some that run, too.
            try #require(try eventually(seconds: 20) { try readCount() >= 200 })
            let first = try readCount()
            try Self.report(hub, 0..<100)
            #expect(try fastCount() == 100)

            // So many strangers are worth another look, which finds all that run: 1,024, or half of what the last one
            // found.
            let strangers = 200..<(200 + max(1100, first / 2 + 100))
            let others = strangers.upperBound..<(strangers.upperBound + 1700)
            try Self.make(connection, strangers)
            try Self.make(connection, others)
            try Self.report(hub, strangers)
            try #require(try eventually(seconds: 20) { try readCount() >= first + others.upperBound })
            let before = try fastCount()
            try Self.report(hub, (others.upperBound - 100)..<others.upperBound)
            #expect(try fastCount() == before + 100)

            #expect(try Self.counter(stack, "sendense_writer_memory_misses_total") == 0)
            let rows = try connection.query(
                """
                SELECT COUNT(*) FROM backup_jobs AS j JOIN backup_disks AS d ON d.backup_job_id = j.id
                WHERE j.vm_name = 'known' AND j.telemetry_seq = 1 AND j.last_telemetry_at IS NOT NULL
                  AND j.bytes_transferred = SUBSTRING(j.id, 14) + 8 AND d.status = 'transferring'
                  AND d.bytes_transferred = IF(d.disk_index = 0, SUBSTRING(j.id, 14) + 1, 7)
                """
            )
            let diskCount = Int64(2 * (100 + strangers.count + 100))
            #expect(try rows.first?.int(0) == diskCount)
        }
    }
}
