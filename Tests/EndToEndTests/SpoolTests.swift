import Database
import Foundation
import StackSupport
import Testing

extension EndToEndTests.OutageTests {
    @Test func `a backup that no hub heard of succeeds, and flush puts its completion into the database`()
        throws
    {
        let stack = try EndToEndTests.stack()
        let backup = try Backup(
            stack,
            vm: "spooled1",
            job: "backup-spooled1-1",
            disks: [Backup.Disk(dataKiB: 300, sizeKiB: 1024), Backup.Disk(dataKiB: 64, sizeKiB: 256)]
        )
        let away = try HTTPConnection.freePort()
        let begun = Date()
        // 364 KiB of data at this rate take some five seconds.
        let slowly = ["--drain-timeout", "1", "--rate-limit", "64K"]
        let output = try backup.start(hubPort: away, arguments: slowly).wait(seconds: 60)
        let duration = Date().timeIntervalSince(begun)
        #expect(output.status == 0, "\(output)")
        #expect(output.errorText.contains("sendense-backup-client flush"), "\(output)")
        #expect(try backup.targetsAreIdentical())
        let connection = try stack.connection()
        let count = "SELECT COUNT(*) FROM backup_jobs WHERE id = 'backup-spooled1-1'"
        #expect(try connection.query(count)[0].int(0) == 0)

        let unheard = try backup.flush(hubPort: away, seconds: 1)
        #expect(unheard.status == 1, "\(unheard)")
        let flushed = try backup.flush(seconds: 20)
        #expect(flushed.status == 0 && flushed.text.contains("1 report(s) delivered"), "\(flushed)")
        let row = try connection.job(backup.jobID)
        #expect(row.status == "completed" && row.attempt == 1 && row.error == nil)
        #expect(row.bytes == backup.size && row.disks.map(\.bytes) == backup.sizes)
        #expect(row.disks.allSatisfy { $0.status == "completed" && $0.changeID?.isEmpty == false })
        // The row tells when the backup was, not when the hub heard of it.
        let times = try connection.query(
            """
            SELECT UNIX_TIMESTAMP(started_at), UNIX_TIMESTAMP(completed_at) FROM backup_jobs
            WHERE id = 'backup-spooled1-1'
            """
        )[0]
        let (started, completed) = (Double(try times.int(0)), Double(try times.int(1)))
        #expect(abs(started - begun.timeIntervalSince1970) <= 2, "\(started) \(begun)")
        // Whole seconds, both of them cut off.
        let longest = (duration + 1).rounded(.up)
        #expect(
            duration > 3 && completed - started >= duration - 3 && completed - started <= longest,
            "from \(started) to \(completed), begun at \(begun.timeIntervalSince1970), \(duration) s"
        )
        #expect(try backup.flush(seconds: 5).text.contains("Nothing is spooled"))
    }

    @Test func `reports that an outage kept are delivered by the next backup of another VM`() throws {
        let stack = try EndToEndTests.stack()
        let disks = [Backup.Disk(dataKiB: 64, sizeKiB: 128)]
        let kept = try Backup(stack, vm: "spooled2", job: "backup-spooled2-1", disks: disks)
        try stack.stop(.ingest)
        let output = try kept.start(arguments: ["--drain-timeout", "1"]).wait(seconds: 60)
        #expect(output.status == 0, "\(output)")
        try stack.start(.ingest)
        let next = try Backup(stack, vm: "spooled3", job: "backup-spooled3-1", disks: disks)
        // The later --state-dir wins over the variable: both are of one node.
        let state = "\(stack.folder)/\(kept.jobID)/state"
        let second = try next.start(arguments: ["--state-dir", state]).wait(seconds: 60)
        #expect(
            second.status == 0 && second.errorText.contains("1 report(s) of earlier backups"),
            "\(second)"
        )
        let connection = try stack.connection()
        for job in [kept.jobID, next.jobID] { #expect(try connection.job(job).status == "completed") }
    }
}
