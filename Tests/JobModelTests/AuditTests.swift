import JobModel
import Testing

/// What an audit takes for what, by values alone.
@Suite struct AuditTests {
    private func job(
        _ id: String,
        vm: String,
        disks: [Disk] = [],
        isOurs: Bool = false,
        status: JobStatus = .completed
    ) throws -> AuditedJob {
        let id = try #require(JobID(id))
        let job = Job(id: id, vmName: vm, backupType: .full, status: status, phase: "pending", disks: disks)
        return AuditedJob(job, isOurs: isOurs, hasEnd: true)
    }

    @Test(arguments: [
        ("backup-db-disk0-20251009-070640", "db", true),
        ("backup-db-disk12-1760000000", "db", true),
        // A VM may itself be called like that.
        ("backup-db-disk1-1760000000", "db-disk1", false),
        ("backup-db-disk1-disk0-1760000000", "db-disk1", true),
        ("backup-db-1760000000", "db", false),
        ("backup-db-disk-1760000000", "db", false),
        ("backup-db-disk1", "db", false),
        ("backup-db-diskette-1760000000", "db", false),
    ])
    func `a child row is known by its VM and by having no disks`(id: String, vm: String, isChild: Bool) throws
    {
        #expect(try job(id, vm: vm).isChildRow == isChild)
        #expect(try !job(id, vm: vm, disks: [Disk(index: 0)]).isChildRow)
        #expect(try !job(id, vm: vm, isOurs: true).isChildRow)
    }

    @Test func `of a hub's own row only a completed job's bytes are judged, and never taken away`() throws {
        let disks = [
            Disk(index: 0, status: .completed, bytes: 700, total: 1 << 30), Disk(index: 1, bytes: 300),
        ]
        var old = try job("backup-db-1", vm: "db", disks: disks)
        old.hasEnd = false
        let audit = old.audit()
        #expect(audit.breaches == [Breach(.bytes, stored: "0", expected: "1000")])
        #expect(audit.mended.job.bytes == 1000 && audit.mended.job.total == 0)
        old.job.bytes = 1001
        #expect(old.audit().breaches.map(\.isMendable) == [false])
        #expect(old.audit().mended == old)
        old.job.status = .failed
        #expect(old.audit().breaches.isEmpty)
    }

    @Test func `a hub that completed a job before its disks is told of, and no more`() throws {
        let rule = try #require(StaleRule(stalledAfterSeconds: 60, failedAfterSeconds: 300))
        let disks = [Disk(index: 0, status: .completed, bytes: 700), Disk(index: 1, status: .transferring)]
        var old = try job("backup-db-1", vm: "db", disks: disks)
        old.job.bytes = 700
        #expect(old.audit().breaches.isEmpty)
        #expect(old.notes(rule).map(\.note) == [.completedEarly])
        #expect(old.notes(rule)[0].detail == "disk 1 transferring")
    }

    @Test(
        arguments: [
            (0, "0 ms"), (999, "999 ms"), (1000, "1.0 s"), (59_999, "59.9 s"), (60_000, "1 min 0 s"),
            (3_599_999, "59 min 59 s"), (3_600_000, "1 h 0 min"), (86_399_000, "23 h 59 min"),
            (93_600_000, "1 d 2 h"), (-61_000, "-1 min 1 s"), (Int64.min, "-106751991167 d 7 h"),
        ] as [(Int64, String)]
    )
    func `durations are told in the two units that matter`(milliseconds: Int64, words: String) {
        #expect(DurationWords.text(milliseconds: milliseconds) == words)
    }
}
