import Database
import TestSupport
import Testing
import Threading

extension DatabaseTests {
    /// A hub with a long history, at work while it is migrated.
    @Suite struct LargeTableTests {
        private static let rowCount = 1_000_000

        @Test func `a million rows are adopted while the hub goes on writing`() throws {
            var settings = try Hub.field.make()
            // A million rows take their time on a busy machine.
            settings.readTimeoutSeconds = 600
            let connection = try Connection.open(settings)
            try connection.execute(
                """
                INSERT INTO backup_jobs (id, vm_backup_context_id, vm_context_id, vm_name, repository_id, backup_type,
                  status, repository_path, bytes_transferred, total_bytes, created_at, started_at, completed_at)
                SELECT CONCAT('backup-vm-', seq), 'ctx-backup-pgtest1-1759900000', 'ctx-pgtest1', 'pgtest1', 'repo-1',
                  'full', IF(seq % 20, 'completed', 'failed'), '/multi-disk-parent', 109521666048, 109521666048,
                  '2025-01-01' + INTERVAL seq SECOND, '2025-01-01' + INTERVAL seq SECOND,
                  '2025-01-01' + INTERVAL seq + 600 SECOND FROM seq_1_to_\(Self.rowCount)
                """
            )
            let hubSettings = settings
            let migrator = Migrator(settings, owner: "test")
            let plan = try migrator.plan()
            #expect(!plan.needsAllowance, "\(plan.text)")
            let isOver = Latch()
            let hub = ThreadRun { () throws -> (count: Int, longestMilliseconds: Int64) in
                let own = try Connection.open(hubSettings)
                var (count, longest) = (0, Int64(0))
                while !isOver.isOpen {
                    let start = MonotonicClock.nowMilliseconds
                    count += 1
                    let sql =
                        "UPDATE backup_jobs SET bytes_transferred = ? WHERE id = 'backup-pgtest1-1759990000'"
                    do throws(DatabaseError) {
                        try own.prepare(sql).execute([.int(Int64(count))])
                    } catch {
                        // The table's definition changed under the statement: repeated, as any hub does.
                        guard error.kind == .retry || error.code == 1615 else { throw error }
                    }
                    longest = max(longest, MonotonicClock.nowMilliseconds - start)
                    Pause.milliseconds(2)
                }
                return (count, longest)
            }
            defer { isOver.open() }
            var lines: [String] = []
            func migrate(_ body: (@escaping (MigrationEvent) -> Void) throws -> Void) throws -> Double {
                let start = ContinuousClock.now
                try body { event in
                    guard case .ended(let statement, let way, let seconds) = event, seconds > 0.3 else {
                        return
                    }
                    let estimate = statement.cost.seconds
                    lines.append(
                        "  \(seconds) s, estimated \(estimate): \(way.map { "\($0)" } ?? "") \(statement.sql.prefix(90))"
                    )
                    #expect(seconds < 10 * max(estimate, 1))
                }
                return (ContinuousClock.now - start) / .seconds(1)
            }
            let up = try migrate { report in try migrator.run(report: report) }
            isOver.open()
            let work = try hub.value()
            #expect(work.count > 10 && work.longestMilliseconds < 10_000)
            let rows = try connection.query("SELECT COUNT(*) FROM backup_jobs WHERE attempt = 1")[0].int(0)
            #expect(rows == Self.rowCount + 3)
            let down = try migrate { report in try migrator.runDown(allowRebuild: true, report: report) }
            print(
                "10^6 rows: up \(up) s, down \(down) s; the hub made \(work.count) updates meanwhile, ",
                "the longest took \(work.longestMilliseconds) ms"
            )
            for line in lines { print(line) }
        }
    }
}
