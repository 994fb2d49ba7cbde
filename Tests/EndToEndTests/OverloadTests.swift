import Database
import Foundation
import StackSupport
import Synchronization
import TestSupport
import Testing

extension EndToEndTests {
    /// More than the database can take.
    @Suite(.stack(), .timeLimit(.minutes(3)))
    struct OverloadTests {
        /// What the clients saw.
        private struct Seen {
            var accepted = 0
            var shed = 0
            var shedWithoutRetryAfter = 0
            /// Milliseconds until a 503 came.
            var shedMilliseconds: [Int] = []
            /// Milliseconds until a 200 came.
            var acceptedMilliseconds: [Int] = []
            var others: [String] = []
        }

        private static let clientCount = 160

        /// Posts progress without a pause until told to stop.
        private static func press(
            _ hub: Hub,
            _ job: String,
            until isOver: @Sendable () -> Bool,
            _ seen: @Sendable (HTTPReply, Int) -> Void
        ) throws {
            var connection = try HTTPConnection(port: hub.port)
            var seq = 0
            while !isOver() {
                seq += 1
                let message = Hub.Message(job: job, seq: seq, bytes: [Int64(seq)], totals: [1_000_000])
                let start = ContinuousClock.now
                let reply = try connection.request(
                    "POST",
                    "/api/v1/telemetry/backup/\(job)",
                    body: message.text
                )
                seen(reply, Int((ContinuousClock.now - start) / .milliseconds(1)))
                if reply.headers["connection"] == "close" { connection = try HTTPConnection(port: hub.port) }
                // A quick retry, far sooner than Retry-After says: the pressure is to stay.
                if reply.status != 200 { pause(milliseconds: 50) }
            }
        }

        /// Kilobytes of memory that a process has resident now.
        private static func memory(_ stack: Stack, _ service: Stack.Service) throws -> Int {
            let pid = try #require(try stack.variables()[service.pidVariable])
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
            return try #require(line.split(separator: " ").dropLast().last.flatMap { Int($0) })
        }

        @Test func `beyond capacity progress is turned away at once, and what comes once gets through`()
            throws
        {
            let stack = try stack()
            let hub = try Hub(stack)
            let connection = try stack.connection()
            let jobs = (0..<Self.clientCount).map { "backup-press-\($0)" }
            let ending = (0..<15).map { "backup-ending-\($0)" }
            for job in jobs + ending {
                #expect(try hub.register(job, vm: job, totals: [1_000_000], telemetry: true).status == 201)
            }
            // A database that takes some 60 updates a second in each of the two lanes.
            let root = try Connection.open(
                DatabaseSettings(
                    socketPath: try stack.variables()["SENDENSE_MARIADB_SOCKET"],
                    database: "migratekit_oma",
                    user: "root",
                    password: ""
                )
            )
            try root.execute(
                "CREATE TRIGGER slow BEFORE UPDATE ON backup_jobs FOR EACH ROW SET @slept = SLEEP(0.016)"
            )
            let seen = Mutex(Seen())
            let isOver = Atomic<Bool>(false)
            let before = try [Self.memory(stack, .ingest), Self.memory(stack, .writer)]
            let clients = jobs.map { job in
                ThreadRun {
                    try Self.press(hub, job, until: { isOver.load(ordering: .relaxed) }) {
                        reply,
                        milliseconds in
                        seen.withLock { seen in
                            switch reply.status {
                            case 200:
                                seen.accepted += 1
                                seen.acceptedMilliseconds.append(milliseconds)
                            case 503:
                                seen.shed += 1
                                seen.shedMilliseconds.append(milliseconds)
                                if reply.headers["retry-after"] == nil { seen.shedWithoutRetryAfter += 1 }
                            default:
                                seen.others.append("\(reply.status) \(reply.text)")
                            }
                        }
                    }
                }
            }
            // The pressure builds up; then some jobs end, each telling it once.
            pause(milliseconds: 3000)
            var completions: [Int] = []
            for job in ending {
                completions.append(try hub.complete(job, disk: 0).status)
                pause(milliseconds: 100)
            }
            let after = try [Self.memory(stack, .ingest), Self.memory(stack, .writer)]
            isOver.store(true, ordering: .relaxed)
            for client in clients { try client.value() }
            try root.execute("DROP TRIGGER slow")

            let sum = seen.withLock { $0 }
            #expect(sum.others == [] && sum.shedWithoutRetryAfter == 0)
            #expect(sum.accepted > 100 && sum.shed > 100, "\(sum.accepted) accepted, \(sum.shed) shed")
            // At once: most of those that are turned away wait for nothing.
            let quick = sum.shedMilliseconds.filter { $0 < 200 }.count
            #expect(quick * 10 >= sum.shed * 8, "\(quick) of \(sum.shed) within 200 ms")
            #expect(
                sum.acceptedMilliseconds.allSatisfy { $0 < 2500 },
                "\(sum.acceptedMilliseconds.max() ?? 0) ms"
            )
            #expect(completions.allSatisfy { [200, 202].contains($0) }, "\(completions)")
            for (before, after) in zip(before, after) {
                #expect(after - before < 40_000, "\(before) kB, then \(after) kB")
            }
            for job in ending {
                try connection.waitForJob(job, seconds: 20) { $0.status == "completed" }
            }
            let last = Hub.Message(job: jobs[0], seq: 1_000_000, bytes: [1_000_000], totals: [1_000_000])
            var reply = try hub.telemetry(last)
            if reply.status == 503 {
                // The last verdicts waited long; whoever comes again when told to gets through.
                let seconds = try #require(reply.headers["retry-after"].flatMap { UInt32($0) })
                pause(milliseconds: seconds * 1000)
                reply = try hub.telemetry(last)
            }
            #expect(reply.status == 200, "once the pressure is gone all get through: \(reply.text)")
        }
    }
}
