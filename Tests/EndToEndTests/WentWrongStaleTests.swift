import StackSupport
import Database
import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// Those of the scenarios in `WentWrongTests` that need short thresholds.
    @Suite(
        .stack([
            "SENDENSE_STALLED_AFTER": "1", "SENDENSE_FAILED_AFTER": "3", "SENDENSE_SCAN_INTERVAL": "50",
        ]),
        .timeLimit(.minutes(4))
    )
    struct WentWrongStaleTests {
        static let stalledText = "Job stalled due to no telemetry updates for 1s"
        static let failedText = "Job failed due to no telemetry updates for 3s"

        /// The earlier one stored whatever came, whenever it came.
        @Test(arguments: WentWrongTests.seeds)
        func `5: late and reordered messages change no finished job`(seed: UInt64) throws {
            let stack = try stack()
            let hub = try Hub(stack)
            let player = Player(hub)
            let connection = try stack.connection()
            var generator = SplitMix64(seed: seed)
            for generation in [OldClient.Generation.withoutDisks, .withDisks] {
                let job = "backup-wrong5-done-\(generation)"
                try WentWrongTests.register(hub, job, [1000, 3000])
                var client = OldClient(job: job, totals: [1000, 3000], generation: generation, seed: seed)
                let requests = client.backup()
                try player.play(requests)
                let done = try connection.job(job)
                #expect(done.status == "completed" && done.bytes == 999 + 3000)
                let newer = client.progress(disk: 1, bytes: 2000)
                #expect(try player.send(newer).status == 409)
                #expect(try player.send(client.failed(disk: 1, .object)).status == 409)
                for request in requests.shuffled(using: &generator) {
                    let reply = try player.send(request)
                    #expect([200, 409].contains(reply.status), "\(reply.text)")
                }
                let later = try connection.job(job)
                #expect(later.settled == done.settled && later.lastContact == done.lastContact)
                #expect(try connection.events(job).last?.hasPrefix("completed") == true)
            }
        }

        /// The earlier one set it back to completed, and left the error's text beside that.
        @Test(arguments: OldClient.Failure.allCases)
        func `5: a late completed does not bring a failed job back to life`(failure: OldClient.Failure) throws
        {
            let stack = try stack()
            let hub = try Hub(stack)
            let player = Player(hub)
            let connection = try stack.connection()
            let job = "backup-wrong5-failed-\(failure)"
            try WentWrongTests.register(hub, job, [1000, 3000])
            var client = OldClient(job: job, totals: [1000, 3000], seed: 5)
            let early = client.progress(disk: 0, bytes: 500)
            try player.play([early, client.progress(disk: 0, bytes: 640), client.failed(disk: 0, failure)])
            let failed = try connection.job(job)
            #expect(failed.status == "failed" && !failed.isPresumed && failed.isEnded)
            #expect(failed.bytes == 640 && failed.disks.map(\.status) == ["failed", "failed"])
            let text = failure == .status ? "without a message" : OldClient.Failure.message
            #expect(failed.error?.contains(text) == true, "\(failed.error ?? "")")
            for late in [client.completed(disk: 0), client.progress(disk: 0, bytes: 900), early] {
                let reply = try player.send(late)
                #expect(reply.status == 409, "\(late)")
                #expect(try reply.object()["job_status"] as? String == "failed")
                #expect(try connection.job(job).settled == failed.settled)
            }
            // What was still missing may come in.
            try player.play([client.complete(disk: 0)])
            let filled = try connection.job(job)
            #expect(filled.disks[0].changeID == OldClient.changeID(disk: 0))
            #expect(filled.status == "failed" && filled.error == failed.error && filled.bytes == 640)
        }

        /// The earlier one knew no difference between a failure that was reported and one that it presumed.
        @Test func `5: a presumed failure ends with the next message, and its text goes with it`() throws {
            let stack = try stack()
            let hub = try Hub(stack)
            let player = Player(hub)
            let connection = try stack.connection()
            let jobs = ["backup-wrong5-ends", "backup-wrong5-goes-on"]
            var clients = jobs.map { OldClient(job: $0, totals: [1000], seed: 5) }
            for (index, job) in jobs.enumerated() {
                try WentWrongTests.register(hub, job, [1000])
                try player.play([clients[index].progress(disk: 0, bytes: 640)])
            }
            for job in jobs {
                let failed = try connection.waitForJob(job, seconds: 6) { $0.status == "failed" }
                #expect(failed.isPresumed && failed.error == Self.failedText && failed.isEnded)
            }
            try player.play([clients[0].completed(disk: 0), clients[1].progress(disk: 0, bytes: 700)])
            let ended = try connection.job(jobs[0])
            #expect(ended.status == "completed" && ended.error == nil && ended.isEnded)
            #expect(ended.percent == 100 && ended.bytes == 640 && !ended.isPresumed)
            let revived = try connection.job(jobs[1])
            #expect(revived.status == "running" && revived.error == nil && !revived.isEnded)
            #expect(revived.bytes == 700 && revived.disks.map(\.status) == ["transferring"])
            #expect(
                try connection.events(jobs[1]).suffix(2) == ["failed (silent: failed)", "running (revived)"]
            )
        }

        /// The earlier one compared times of two zones, so that the condition was never met, and nothing
        /// that would have undone the mark existed.
        @Test func `6: a silent job is stalled, and runs again with the next message, whatever its time`()
            throws
        {
            let stack = try stack()
            let hub = try Hub(stack)
            let player = Player(hub)
            let connection = try stack.connection()
            let jobs = ["backup-wrong6-newer", "backup-wrong6-older"]
            var clients = jobs.map { OldClient(job: $0, totals: [1000], seed: 6) }
            for (index, job) in jobs.enumerated() {
                try WentWrongTests.register(hub, job, [1000])
                try player.play([clients[index].progress(disk: 0, bytes: 400)])
            }
            for job in jobs {
                let stalled = try connection.waitForJob(job, seconds: 3) { $0.status != "running" }
                #expect(stalled.status == "stalled" && stalled.error == Self.stalledText)
                #expect((1000..<2000).contains(stalled.silence) && !stalled.isEnded && stalled.bytes == 400)
            }
            // The second client's clock has stepped back.
            clients[1].setClock(1_700_000_000)
            for index in clients.indices { try player.play([clients[index].progress(disk: 0, bytes: 500)]) }
            for (index, job) in jobs.enumerated() {
                let running = try connection.job(job)
                #expect(running.status == "running" && running.error == nil)
                #expect(running.bytes == (index == 0 ? 500 : 400), "an older message's numbers are none")
                #expect(
                    try connection.events(job) == [
                        "running (registered)", "stalled (silent: stalled)", "running (resumed)",
                    ]
                )
            }
        }

        /// The earlier one failed them all for good; their last messages then were refused or made a mess.
        @Test func `7: jobs that go on while the hub is down for long end completed, with all bytes`() throws
        {
            let stack = try stack()
            let hub = try Hub(stack)
            let connection = try stack.connection()
            let jobs = (0..<6).map { "backup-wrong7-\($0)" }
            let totals: [Int64] = [3000, 6000]
            var plays: [[ClientRequest]] = []
            for (index, job) in jobs.enumerated() {
                try WentWrongTests.register(hub, job, totals)
                let generation: OldClient.Generation = index < 2 ? .withoutDisks : .withDisks
                var old = OldClient(job: job, totals: totals, generation: generation, seed: 7)
                let requests = old.backup(steps: 6)
                plays.append(index < 4 ? requests : NewClient(job: job, totals: totals).backup(steps: 12))
            }
            let silent = "backup-wrong7-silent"
            try WentWrongTests.register(hub, silent, totals)
            var runners = jobs.map { _ in OldClientRunner { try hub.send($0).status } }
            for index in jobs.indices { runners[index].send(Array(plays[index].prefix(3))) }

            try stack.stop(.writer)
            // Longer than three times the threshold of failing.
            pause(milliseconds: 10_000)
            // Old clients tell it once, so it is kept; the others keep it themselves.
            let sent = plays.map { play in ThreadRun { try hub.send(play[3]).status } }
            #expect(try sent.map { try $0.value() } == [202, 202, 202, 202, 503, 503])
            for job in jobs + [silent] { #expect(try connection.job(job).status == "running") }
            try stack.start(.writer)

            for index in jobs.indices {
                runners[index].send(Array(plays[index].dropFirst(index < 4 ? 4 : 3)))
            }
            for disk in totals.indices { #expect(try hub.complete(silent, disk: disk).status == 200) }
            #expect(runners.allSatisfy { $0.errors.isEmpty }, "\(runners.flatMap(\.errors))")
            for job in jobs {
                try connection.waitForJob(job, seconds: 5) { $0.status == "completed" }
                #expect(
                    try connection.events(job).allSatisfy { !$0.contains("silent") },
                    "no job is called silent because the hub was down"
                )
            }
            for job in jobs + [silent] {
                let done = try connection.job(job)
                #expect(done.status == "completed" && done.error == nil && done.percent == 100, "\(done)")
                #expect(done.disks.map(\.bytes) == totals && done.bytes == 9000, "\(job): \(done)")
            }
        }

        /// The earlier one never looked at jobs without a message.
        @Test func `14: a job that dies before its first message is stalled, then failed`() throws {
            let stack = try stack()
            let hub = try Hub(stack)
            let connection = try stack.connection()
            let job = "backup-wrong14-1"
            #expect(try hub.register(job, vm: "wrong14", totals: [1000], telemetry: true).status == 201)
            let stalled = try connection.waitForJob(job, seconds: 3) { $0.status != "running" }
            #expect(stalled.status == "stalled" && stalled.error == Self.stalledText && stalled.seq == 0)
            let failed = try connection.waitForJob(job, seconds: 4) { $0.status != "stalled" }
            #expect(failed.status == "failed" && failed.error == Self.failedText && failed.isEnded)
            #expect((3000..<4000).contains(failed.silence), "\(failed.silence)")
            #expect(failed.disks.map(\.status) == ["failed"] && failed.bytes == 0)
        }
    }
}
