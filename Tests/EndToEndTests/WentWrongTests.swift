import StackSupport
import Database
import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// The scenarios in which the earlier implementation went wrong, by their numbers; each says how it did.
    /// The lines that need short thresholds are in `WentWrongStaleTests`.
    ///
    /// The services' time zone is neither UTC nor the database's, so that a confusion shows.
    @Suite(.stack(["TZ": "IST-5:30"]), .timeLimit(.minutes(4)))
    struct WentWrongTests {
        static let seeds = [UInt64.random(in: 0...UInt64.max)]

        /// A registered job without announced telemetry, as a hub makes it for an old client.
        static func register(_ hub: Hub, _ job: String, _ totals: [Int64]) throws {
            let reply = try hub.register(job, vm: "vm-of-\(job)", totals: totals, telemetry: false)
            try #require(reply.status == 201, "\(reply.text)")
        }

        /// The earlier one set the job to completed, with the bytes of the disk that ended, at disk 0's end.
        @Test(arguments: [OldClient.Generation.withoutDisks, .withDisks], seeds)
        func `1: a disk's end does not end the job, whose bytes are its disks' sum at every look`(
            generation: OldClient.Generation,
            seed: UInt64
        ) throws {
            let stack = try stack()
            let player = Player(try Hub(stack))
            let connection = try stack.connection()
            let job = "backup-wrong1-\(generation)"
            let totals: [Int64] = [1_000_003, 3_000_007]
            try Self.register(Hub(stack), job, totals)
            var client = OldClient(job: job, totals: totals, generation: generation, seed: seed)
            let requests = client.backup()
            let end = try #require(requests.firstIndex { $0.disk == 1 && $0.role == .completed })
            for (place, request) in requests.enumerated() {
                try player.play([request])
                let look = try connection.job(job)
                #expect(look.bytes == look.diskBytes && look.total == 4_000_010, "\(look)")
                #expect(look.status == (place < end ? "running" : "completed"), "\(request)\n\(look)")
                #expect(look.isEnded == (place >= end))
            }
            let done = try connection.job(job)
            #expect(done.disks.map(\.bytes) == client.bytesTold() && done.percent == 100)
            #expect(done.disks.map(\.changeID) == [0, 1].map { OldClient.changeID(disk: $0) })
        }

        /// The earlier one wrote the call's 0 over the disk's bytes.
        @Test(arguments: [OldClient.Generation.withoutDisks, .withDisks], seeds)
        func `2: a /complete with 0 bytes keeps the bytes that telemetry told`(
            generation: OldClient.Generation,
            seed: UInt64
        ) throws {
            let stack = try stack()
            let player = Player(try Hub(stack))
            let connection = try stack.connection()
            let job = "backup-wrong2-\(generation)"
            let totals: [Int64] = [1000, 3000]
            try Self.register(Hub(stack), job, totals)
            var client = OldClient(job: job, totals: totals, generation: generation, seed: seed)
            try player.play([client.progress(disk: 0, bytes: 640), client.complete(disk: 0)])
            let half = try connection.job(job)
            #expect(half.status == "running" && half.disks.map(\.bytes) == [640, 0] && half.bytes == 640)
            #expect(half.disks.map(\.status) == ["completed", "pending"] && half.disks[0].percent == 100)
            try player.play([client.progress(disk: 1, bytes: 2990), client.complete(disk: 1)])
            let done = try connection.job(job)
            #expect(done.status == "completed" && done.disks.map(\.bytes) == [640, 2990])
            #expect(done.bytes == 3630)
        }

        /// The earlier one added the disk up once more, and of two calls at the same instant each saw the
        /// other's disk still open.
        @Test func `3: a repeated /complete counts once`() throws {
            let stack = try stack()
            let player = Player(try Hub(stack))
            let connection = try stack.connection()
            let job = "backup-wrong3-again"
            try Self.register(Hub(stack), job, [1000, 3000])
            var client = OldClient(job: job, totals: [1000, 3000], seed: 3)
            try player.play([client.progress(disk: 0, bytes: 900), client.complete(disk: 0)])
            let once = try connection.job(job)
            for _ in 0..<3 { try player.play([client.complete(disk: 0)]) }
            let again = try connection.job(job)
            #expect(again.settled == once.settled && once.bytes == 900 && once.status == "running")
            try player.play([client.complete(disk: 1), client.complete(disk: 1), client.complete(disk: 0)])
            let done = try connection.job(job)
            #expect(done.status == "completed" && done.bytes == 900 + 3000)
            #expect(try connection.events(job).filter { $0.hasPrefix("completed") }.count == 1)
        }

        /// As above.
        @Test func `3: last disks that end at the same instant, each told twice, end their job once`() throws
        {
            let stack = try stack()
            let hub = try Hub(stack)
            let jobs = (0..<8).map { "backup-wrong3-\($0)" }
            let totals: [Int64] = [1000, 3000, 5000]
            for job in jobs { try Self.register(hub, job, totals) }
            let calls = jobs.flatMap { job in
                (0..<2 * totals.count).map { number in
                    ThreadRun { try hub.complete(job, disk: number % totals.count).status }
                }
            }
            for call in calls { #expect(try call.value() == 200) }
            let connection = try stack.connection()
            for job in jobs {
                let done = try connection.job(job)
                #expect(done.status == "completed" && done.bytes == 9000)
                #expect(done.disks.map(\.bytes) == totals)
                let events = try connection.events(job)
                #expect(events.filter { $0.hasPrefix("completed") }.count == 1, "\(events)")
                #expect(events.filter { $0.contains("bytes presumed") }.count == totals.count, "\(events)")
            }
        }

        /// The earlier one stored the message as it stood: 0 of 0 bytes; where it took care of that, the
        /// job stayed at the percentage of the last message with numbers.
        @Test(arguments: [OldClient.Generation.withoutDisks, .withDisks], seeds)
        func `4: a completion without numbers erases nothing, and the job ends at 100 percent`(
            generation: OldClient.Generation,
            seed: UInt64
        ) throws {
            let stack = try stack()
            let player = Player(try Hub(stack))
            let connection = try stack.connection()
            let job = "backup-wrong4-\(generation)"
            try Self.register(Hub(stack), job, [1000])
            var client = OldClient(job: job, totals: [1000], generation: generation, seed: seed)
            try player.play([client.progress(disk: 0, bytes: 970), client.noNews(disk: 0)])
            let before = try connection.job(job)
            #expect(before.percent == 97 && before.bytes == 970 && before.total == 1000)
            #expect((before.speed ?? 0) > 0, "zeros are no news: \(before)")
            try player.play([client.completed(disk: 0)])
            for _ in 0..<2 {
                let done = try connection.job(job)
                #expect(done.status == "completed" && done.phase == "completed" && done.isEnded)
                #expect(done.bytes == 970 && done.total == 1000 && done.disks.map(\.bytes) == [970])
                #expect(done.percent == 100 && done.disks[0].percent == 100)
                #expect(done.speed == 0 && done.etaSeconds == 0)
                try player.play([client.complete(disk: 0)])
            }
        }

        /// The earlier one took the number of changed rows for the number of rows found, and answered 500
        /// to both.
        @Test func `12: an unknown job gets a 404, and an identical update within the second a 200`() throws {
            let stack = try stack()
            let hub = try Hub(stack)
            let player = Player(hub)
            let connection = try stack.connection()
            var stranger = OldClient(job: "backup-wrong12-nobody", totals: [1000], seed: 12)
            for request in stranger.backup() + NewClient(job: stranger.job, totals: [1000]).backup() {
                let reply = try player.send(request)
                #expect(reply.status == 404, "\(request.role): \(reply.status) \(reply.text)")
                #expect(reply.headers["content-type"] == "application/problem+json")
            }
            #expect(try JobRow(connection, job: stranger.job) == nil)

            for (number, isNew) in [false, true].enumerated() {
                let job = "backup-wrong12-\(number)"
                try Self.register(hub, job, [1000])
                var old = OldClient(job: job, totals: [1000], seed: 12)
                let requests = isNew ? NewClient(job: job, totals: [1000]).backup() : old.backup()
                for request in requests {
                    try player.play([request])
                    let once = try connection.job(job)
                    for _ in 0..<4 { try player.play([request]) }
                    #expect(try connection.job(job).settled == once.settled, "\(request)")
                }
                #expect(try connection.job(job).status == "completed")
            }
        }
    }
}
