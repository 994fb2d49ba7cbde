import StackSupport
import Database
import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// On the database of a hub that has the guide's telemetry columns already.
    @Suite(.stack(adopting: .withTelemetry), .timeLimit(.minutes(3)))
    struct AdoptedTests {
        @Test func `jobs of old, silent and new clients stand side by side on the hub's own tables`() throws {
            let sideBySide = try SideBySide(stack(), generation: .withoutDisks)
            try sideBySide.run()
            try sideBySide.unmigrate(to: .withTelemetry)
        }

        @Test func `a registration makes the hub's rows, or is told which member the hub's tables want`()
            throws
        {
            let stack = try stack()
            let hub = try Hub(stack)
            let job = "backup-pgtest1-1760200000"
            for missing in FieldHubJobs.columns.map(\.name) + ["all"] {
                let columns = FieldHubJobs.columns.filter { $0.name != missing && missing != "all" }
                let reply = try hub.register(
                    job,
                    vm: "pgtest1",
                    totals: [1000, 3000],
                    telemetry: true,
                    columns: columns
                )
                #expect(reply.status == 422, "\(reply.text)")
                let errors = try #require(try reply.object()["errors"] as? [[String: Any]], "\(reply.text)")
                let pointers = Set(errors.compactMap { $0["pointer"] as? String })
                let wanted = missing == "all" ? FieldHubJobs.columns.map(\.name) : [missing]
                #expect(pointers == Set(wanted.map { "/\($0)" }), "\(reply.text)")
            }
            let connection = try stack.connection()
            #expect(try JobRow(connection, job: job) == nil)
            let reply = try hub.register(
                job,
                vm: "pgtest1",
                totals: [1000, 3000],
                telemetry: true,
                columns: FieldHubJobs.columns
            )
            #expect(reply.status == 201, "\(reply.text)")
            try Player(hub).play(NewClient(job: job, totals: [1000, 3000]).backup())
            let done = try connection.job(job)
            #expect(done.status == "completed" && done.bytes == 999 + 3000 && done.bytes == done.diskBytes)

            let backup = try Backup(
                stack,
                vm: "pgtest1",
                job: "backup-pgtest1-1760200001",
                disks: [.init(dataKiB: 64, sizeKiB: 128)]
            )
            let members = FieldHubJobs.columns.filter { $0.name != "repository_id" }.flatMap {
                ["--hub-column", "\($0.name)=\($0.value)"]
            }
            let output = try backup.start(arguments: ["--repository-id", "repo-1"] + members).wait(
                seconds: 30
            )
            try #require(output.status == 0, "\(output)\n\(backup.log)")
            let copied = try connection.job(backup.jobID)
            #expect(copied.status == "completed" && copied.bytes == backup.size)
        }

        /// There ids are compared without regard to case, so that only one of the two can have a row.
        @Test
        func `an id that differs from a stored one in case only is refused, and the stored one untouched`()
            throws
        {
            let stack = try stack()
            let hub = try Hub(stack)
            let connection = try stack.connection()
            let job = "backup-pgtest1-1760300000"
            try FieldHubJobs(connection: connection).make(job, status: "running", gibibytes: [1])
            let total = FieldHubJobs.gibibyte
            let message = Hub.Message(job: job, seq: 1, bytes: [1000], totals: [total])
            #expect(try hub.telemetry(message).status == 200)
            let before = try connection.job(job)

            let other = job.uppercased()
            let reply = try hub.register(
                other,
                vm: "pgtest1",
                totals: [total],
                telemetry: true,
                columns: FieldHubJobs.columns
            )
            #expect([409, 422].contains(reply.status) && reply.text.contains(job), "\(reply.text)")
            var stranger = message
            (stranger.job, stranger.seq, stranger.bytes) = (other, 2, [2000])
            #expect(try hub.telemetry(stranger).status == 404)
            #expect(try hub.complete(other, disk: 0).status == 404)
            let after = try connection.job(job)
            #expect(after.settled == before.settled && after.lastContact == before.lastContact)
            #expect(after.seq == 1)
        }
    }

    /// On the database of a hub without telemetry columns.
    @Suite(.stack(adopting: .withoutTelemetry), .timeLimit(.minutes(3)))
    struct AdoptedBareTests {
        @Test func `jobs of old, silent and new clients stand side by side where telemetry is new`() throws {
            let sideBySide = try SideBySide(stack(), generation: .withDisks)
            try sideBySide.run()
            try sideBySide.unmigrate(to: .withoutTelemetry)
        }
    }
}

extension EndToEndTests.GuideTests {
    @Test func `in a database of our own, ids that differ in case only are two jobs`() throws {
        let stack = try EndToEndTests.stack()
        let hub = try Hub(stack)
        let connection = try stack.connection()
        let jobs = ["backup-case-1", "backup-CASE-1"]
        for (index, job) in jobs.enumerated() {
            #expect(try hub.register(job, vm: "case", totals: [1000], telemetry: true).status == 201)
            let message = Hub.Message(
                job: job,
                seq: index + 1,
                bytes: [Int64(index + 1) * 100],
                totals: [1000]
            )
            #expect(try hub.telemetry(message).status == 200)
        }
        #expect(try hub.complete(jobs[1], disk: 0).status == 200)
        let rows = try jobs.map { try connection.job($0) }
        #expect(rows.map(\.status) == ["running", "completed"] && rows.map(\.bytes) == [100, 200])
        #expect(rows.map(\.seq) == [1, 2])
    }
}
