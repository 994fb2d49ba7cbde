import StackSupport
import Database
import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// The messages of one backup of two disks, as a list: however they arrive, the rows are those of the
    /// plain play.
    @Suite(.stack(), .timeLimit(.minutes(4)))
    struct StreamTests {
        private static let totals: [Int64] = [1_000_003, 3_000_007]
        private static let seeds = [UInt64.random(in: 0...UInt64.max)]

        /// Who tells of the backup.
        enum Teller: String, CaseIterable {
            case withoutDisks, withDisks, silent, new
        }

        /// A stream for a job of its own, which is registered.
        private struct Stream {
            let job: String
            let requests: [ClientRequest]

            init(_ hub: Hub, _ name: String, _ teller: Teller, seed: UInt64) throws {
                job = "backup-stream-\(name)-\(teller)"
                let reply = try hub.register(job, vm: "stream", totals: totals, telemetry: false)
                guard reply.status == 201 else { throw EndToEndError("\(job): \(reply.text)") }
                if let generation = OldClient.Generation(rawValue: teller.rawValue) {
                    var client = OldClient(job: job, totals: totals, generation: generation, seed: seed)
                    requests = client.backup()
                } else {
                    requests = NewClient(job: job, totals: totals).backup()
                }
            }
        }

        /// The rows that the plain play leaves.
        private func expected(_ name: String, _ teller: Teller, seed: UInt64) throws -> JobRow {
            let stack = try stack()
            let stream = try Stream(Hub(stack), "\(name)-plain", teller, seed: seed)
            try Player(Hub(stack)).play(stream.requests)
            let row = try stack.connection().job(stream.job).settled
            let bytes = teller == .silent ? Self.totals : Self.totals.map { $0 / 3 * 3 }
            #expect(row.status == "completed" && row.isEnded && row.percent == 100 && row.error == nil)
            #expect(row.disks.map(\.bytes) == bytes && row.bytes == row.diskBytes)
            #expect(row.disks.allSatisfy { $0.status == "completed" && $0.changeID != nil })
            return row
        }

        @Test(arguments: Teller.allCases, seeds)
        func `each message twice leaves the same rows`(teller: Teller, seed: UInt64) throws {
            let stack = try stack()
            let expected = try expected("twice", teller, seed: seed)
            let stream = try Stream(Hub(stack), "twice", teller, seed: seed)
            try Player(Hub(stack)).play(stream.requests.flatMap { [$0, $0] })
            #expect(try stack.connection().job(stream.job).settled == expected)
        }

        /// An old client repeats nothing by itself, but what stands between it and the writer may.
        @Test(arguments: seeds)
        func `messages delivered again after the writer was killed leave the same rows`(seed: UInt64) throws {
            let stack = try stack()
            let hub = try Hub(stack)
            var generator = SplitMix64(seed: seed)
            var streams: [Stream] = []
            var rows: [JobRow] = []
            for teller in Teller.allCases {
                rows.append(try expected("kill", teller, seed: seed))
                streams.append(try Stream(hub, "kill", teller, seed: seed))
            }
            let length = streams.map(\.requests.count).max() ?? 0
            let kills = Set([2, 4, 5, 7, 9].map { $0 + Int.random(in: 0...1, using: &generator) })
            for place in 0..<length {
                let next = streams.compactMap { stream in
                    stream.requests.indices.contains(place) ? stream.requests[place] : nil
                }
                guard kills.contains(place) else {
                    // 202: an earlier one of the job still waits, so this one waits behind it.
                    for request in next {
                        #expect([200, 202].contains(try hub.send(request).status), "\(request)")
                    }
                    continue
                }
                let before = streams.compactMap { stream in
                    stream.requests.indices.contains(place - 1) ? stream.requests[place - 1] : nil
                }
                // Some are committed and answered, some committed and unanswered, some neither.
                let posts = next.map { request in ThreadRun { try hub.send(request).status } }
                pause(milliseconds: UInt32.random(in: 0...40, using: &generator))
                try stack.kill9(.writer)
                for post in posts { #expect([200, 202, 503].contains(try post.value())) }
                try stack.start(.writer)
                // Ingest may not have found the new writer yet: a 503 says to come again.
                // 409: the job ended with the message after this one, which was stored before the kill.
                for request in before + next {
                    var status = 0
                    let isTaken = try eventually(seconds: 10) {
                        status = try hub.send(request).status
                        return status != 503
                    }
                    #expect(isTaken && [200, 202, 409].contains(status), "\(status): \(request)")
                }
            }
            let connection = try stack.connection()
            for (stream, row) in zip(streams, rows) {
                // What was answered 202 comes a little later.
                _ = try eventually(seconds: 5) { try connection.job(stream.job).settled == row }
                #expect(try connection.job(stream.job).settled == row, "\(stream.job)")
            }
        }

        /// The requests with one disk's `/complete` at another place.
        private static func moved(_ requests: [ClientRequest], disk: Int, to place: Int) -> [ClientRequest] {
            var rest = requests
            guard let now = rest.firstIndex(where: { $0.role == .completion && $0.disk == disk }) else {
                return requests
            }
            let completion = rest.remove(at: now)
            rest.insert(completion, at: place)
            return rest
        }

        /// The places of a disk's numbers among the requests without its `/complete`.
        private static func places(_ requests: [ClientRequest], disk: Int) -> (numbers: [Int], end: Int) {
            let rest = requests.filter { $0.role != .completion || $0.disk != disk }
            return (rest.indices.filter { rest[$0].role == .progress && rest[$0].disk == disk }, rest.count)
        }

        @Test(arguments: [OldClient.Generation.withoutDisks, .withDisks], seeds)
        func `/complete at any place where it may come leaves the same rows`(
            generation: OldClient.Generation,
            seed: UInt64
        ) throws {
            let stack = try stack()
            let hub = try Hub(stack)
            let player = Player(hub)
            let connection = try stack.connection()
            let teller: Teller = generation == .withDisks ? .withDisks : .withoutDisks
            let expected = try expected("place", teller, seed: seed)
            for disk in Self.totals.indices {
                let original = try Stream(hub, "place-\(disk)", teller, seed: seed).requests
                let (numbers, end) = Self.places(original, disk: disk)
                let first = try #require(generation == .withDisks ? numbers.first : numbers.last) + 1
                let last = try #require(numbers.last)
                for place in first...end {
                    let stream = try Stream(hub, "place-\(disk)-\(place)", teller, seed: seed)
                    let requests = Self.moved(stream.requests, disk: disk, to: place)
                    // The other disk is completed by the time that the second one begins, so that this ends
                    // the job.
                    let endsEarly = disk == 1 && place <= last
                    for (index, request) in requests.enumerated() {
                        let reply = try player.send(request)
                        let saysRunning = [.progress, .noNews].contains(request.role)
                        let isLate = endsEarly && index > place && saysRunning
                        try #require(
                            reply.status == (isLate ? 409 : 200),
                            "\(place): \(request)\n\(reply.text)"
                        )
                    }
                    let row = try connection.job(stream.job).settled
                    guard endsEarly else {
                        #expect(row == expected, "disk \(disk) at \(place)")
                        continue
                    }
                    let told = numbers.filter { $0 < place }.count
                    #expect(row.status == "completed" && row.bytes == row.diskBytes && row.percent == 100)
                    #expect(row.disks[1].bytes == Self.totals[1] / 3 * Int64(told), "\(place): \(row)")
                }
            }
        }

        /// A disk's end that comes behind its `/complete`, with a message without news between them.
        @Test func `a message without news is no word of the next disk`() throws {
            let stack = try stack()
            let hub = try Hub(stack)
            let job = "backup-stream-no-news"
            try WentWrongTests.register(hub, job, Self.totals)
            var client = OldClient(job: job, totals: Self.totals, seed: 1)
            try Player(hub).play([
                client.progress(disk: 0, bytes: Self.totals[0]), client.complete(disk: 0),
                client.noNews(disk: 0), client.completed(disk: 0),
            ])
            let row = try stack.connection().job(job)
            #expect(row.disks[0].status == "completed" && row.disks[0].bytes == Self.totals[0])
            #expect(row.status == "running" && row.disks[1].status == "pending", "\(row)")
            #expect(row.disks[1].bytes == 0, "disk 1 was never copied: \(row)")
        }
    }
}
