import Database
import JobModel
import TestSupport
import Testing

@testable import Writer

@Suite struct BatchTests {
    private func item(_ id: String, seq: Int64, received: Int64 = 0) throws -> LaneItem {
        let jobID = try #require(JobID(id))
        return LaneItem(
            sender: [1],
            messageID: UInt64(seq),
            message: .report(
                Report(
                    jobID: jobID,
                    status: .running,
                    phase: "transferring",
                    bytes: seq * 10,
                    total: 1000,
                    attempt: 1,
                    seq: seq
                )
            ),
            receivedMilliseconds: received
        )
    }

    private func job(_ id: String) throws -> (JobID, Job) {
        let jobID = try #require(JobID(id))
        return (jobID, Job(id: jobID, vmName: "v", backupType: .full, disks: [Disk(index: 0, total: 1000)]))
    }

    @Test func `messages of one job are stored once, and each gets the answer it would have got alone`()
        throws
    {
        let (id, job) = try job("a")
        let outcome = Batch.apply(
            [try item("a", seq: 1), try item("a", seq: 3), try item("a", seq: 2), try item("a", seq: 3)],
            to: [id: job],
            nowMilliseconds: 100
        )
        #expect(outcome.answers.map(\.verdict) == [.applied, .applied, .superseded, .repeated])
        #expect(outcome.answers.map(\.storedSeq) == [1, 3, 3, 3])
        #expect(outcome.changes.count == 1 && outcome.changes.first?.after.bytes == 30)
    }

    @Test func `the contact is as old as the newest message that counts`() throws {
        let (id, job) = try job("a")
        let outcome = Batch.apply(
            [
                try item("a", seq: 1, received: 40), try item("a", seq: 2, received: 70),
                try item("a", seq: 2, received: 99),
            ],
            to: [id: job],
            nowMilliseconds: 100
        )
        #expect(outcome.changes.first?.contactAgeMilliseconds == 30, "a repeat is no contact")
    }

    @Test func `an unknown job is stored nowhere and told so`() throws {
        let outcome = Batch.apply([try item("b", seq: 1)], to: [:], nowMilliseconds: 0)
        #expect(outcome.changes.isEmpty && outcome.answers.map(\.verdict) == [.unknownJob])
    }

    @Test func `changes are in the order in which rows are locked`() throws {
        let ids = ["b", "B", "a", "ä"]
        let jobs = Dictionary(uniqueKeysWithValues: try ids.map { try job($0) })
        let outcome = Batch.apply(try ids.map { try item($0, seq: 1) }, to: jobs, nowMilliseconds: 0)
        #expect(outcome.changes.map(\.after.id.rawValue) == ["B", "a", "b", "ä"])
    }

    @Test func `a transaction takes so many jobs and no more`() throws {
        let items = try ["a", "b", "a", "c", "a"].map { try item($0, seq: 1) }
        #expect(Batch.prefix(items[...], jobCountMax: 2).count == 3)
        #expect(Batch.prefix(items[...], jobCountMax: 3).count == 5)
        #expect(Batch.prefix(items[3...], jobCountMax: 1).count == 1)
    }
}
