import StackSupport
import Database
import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// Services and database that die and come back. The database is durable here, as in the field.
    @Suite(.stack(["MARIADB_OPTIONS": Stack.mariaDBOptions(isDurable: true)]), .timeLimit(.minutes(3)))
    struct OutageTests {
        /// Whatever was promised is stored, and each row is one message, whole.
        private func compare(_ flood: Flood, _ promised: [Flood.Tally], _ connection: Connection) throws {
            for (job, tally) in zip(flood.jobs, promised) {
                let row = try connection.job(job)
                #expect(row.seq >= tally.acknowledged, "\(job): \(tally)")
                #expect(row.bytes == row.seq * Flood.bytesPerSeq && row.disks.map(\.bytes) == [row.bytes])
                #expect(row.status == "running" && row.error == nil && row.attempt == 1)
            }
        }

        private func finish(_ flood: Flood, _ connection: Connection) throws {
            try flood.stop()
            try compare(flood, flood.current, connection)
            #expect(flood.sum.unexpected == [])
            #expect(flood.sum.unavailableWithoutRetryAfter == 0)
        }

        @Test(arguments: [UInt64.random(in: 0...UInt64.max)])
        func `a 200 is committed, whenever the writer is killed`(seed: UInt64) throws {
            var generator = SplitMix64(seed: seed)
            let stack = try stack()
            let connection = try stack.connection()
            let flood = try Flood(try Hub(stack), name: "writer-kill", clientCount: 16)
            defer { flood.end() }
            for number in 0..<10 {
                #expect(flood.waitForAcknowledgements(16, seconds: 15))
                pause(milliseconds: UInt32.random(in: 0...600, using: &generator))
                // Every other time no transaction can end for a while, so that an answer given too early shows
                // for certain; else it takes a kill between the answer and the commit.
                if number.isMultiple(of: 2) {
                    try connection.execute("LOCK TABLES backup_jobs READ, backup_disks READ")
                    pause(milliseconds: 150)
                }
                try stack.kill9(.writer)
                // With no writer nothing is stored: what was promised by now must be there now.
                let promised = flood.current
                try connection.execute("UNLOCK TABLES")
                try compare(flood, promised, connection)
                pause(milliseconds: UInt32.random(in: 0...200, using: &generator))
                try stack.start(.writer)
            }
            #expect(flood.waitForAcknowledgements(16, seconds: 15))
            try finish(flood, connection)
            #expect(flood.sum.unavailable > 0)
        }

        @Test(arguments: [UInt64.random(in: 0...UInt64.max)])
        func `a 200 is committed, whenever ingest is killed`(seed: UInt64) throws {
            var generator = SplitMix64(seed: seed)
            let stack = try stack()
            let connection = try stack.connection()
            let flood = try Flood(try Hub(stack), name: "ingest-kill", clientCount: 16)
            defer { flood.end() }
            for _ in 0..<3 {
                #expect(flood.waitForAcknowledgements(16, seconds: 15))
                pause(milliseconds: UInt32.random(in: 0...600, using: &generator))
                try stack.kill9(.ingest)
                try compare(flood, flood.current, connection)
                try stack.start(.ingest)
            }
            #expect(flood.waitForAcknowledgements(16, seconds: 15))
            try finish(flood, connection)
            #expect(flood.sum.brokenConnections > 0)
        }

        @Test(arguments: [UInt64.random(in: 0...UInt64.max)])
        func `a 200 is committed, whenever the database is killed`(seed: UInt64) throws {
            var generator = SplitMix64(seed: seed)
            let stack = try stack()
            let flood = try Flood(try Hub(stack), name: "database-kill", clientCount: 16)
            defer { flood.end() }
            for _ in 0..<2 {
                #expect(flood.waitForAcknowledgements(16, seconds: 20))
                pause(milliseconds: UInt32.random(in: 0...600, using: &generator))
                try stack.kill9(.mariadb)
                // Some requests meet the outage; then nothing is under way, so that the first look at the
                // restarted database sees what was stored before the kill.
                pause(milliseconds: 500)
                try flood.pauseClients()
                try stack.start(.mariadb)
                try compare(flood, flood.current, stack.connection())
                flood.resumeClients()
            }
            #expect(flood.waitForAcknowledgements(16, seconds: 20))
            try finish(flood, stack.connection())
            #expect(flood.sum.unavailable > 0)
        }

        @Test func `without a writer a client is told to come again, and health says why`() throws {
            let stack = try stack()
            let hub = try Hub(stack)
            let job = "backup-nowriter-1"
            #expect(try hub.register(job, vm: "nowriter", totals: [100], telemetry: true).status == 201)
            try stack.stop(.writer)
            let message = Hub.Message(job: job, seq: 1, bytes: [10], totals: [100])
            for _ in 0..<2 {
                let start = ContinuousClock.now
                let reply = try hub.telemetry(message)
                let waited = ContinuousClock.now - start
                #expect(reply.status == 503 && reply.headers["retry-after"] != nil, "\(reply)")
                #expect(waited < .milliseconds(2800), "\(waited)")
            }
            let health = try hub.get("/api/v1/health")
            let object = try health.object()
            #expect(health.status == 200 && object["status"] as? String == "degraded", "\(health.text)")
            #expect(
                (object["reasons"] as? [String])?.contains { $0.contains("writer") } == true,
                "\(health.text)"
            )

            try stack.start(.writer)
            #expect(
                try eventually(seconds: 5) { try hub.telemetry(message).status == 200 },
                "the same message, once the writer is back"
            )
            #expect(
                try eventually(seconds: 5) {
                    try hub.get("/api/v1/health").object()["status"] as? String == "ok"
                }
            )
            let row = try stack.connection().job(job)
            #expect(row.seq == 1 && row.bytes == 10)
        }

        @Test func `services started in the reverse order become ready`() throws {
            let stack = try stack()
            for service in [Stack.Service.ingest, .staleDetector, .writer, .mariadb] {
                try stack.stop(service)
            }
            let settings = try stack.settings()
            let variables = settings.merging(["SENDENSE_STACK": stack.folder]) { $1 }
            let names: [(binary: String, admin: String)] = [
                ("sendense-ingest", "SENDENSE_INGEST_ADMIN"),
                ("sendense-stale-detector", "SENDENSE_STALE_DETECTOR_ADMIN"),
                ("sendense-writer", "SENDENSE_WRITER_ADMIN"),
            ]
            var running: [Command] = []
            for name in names {
                running.append(try stack.launch(["\(Stack.binaries)/\(name.binary)"], variables: variables))
                pause(milliseconds: 300)
            }
            for name in names { #expect(Self.readiness(settings[name.admin]) != 200, "\(name.binary)") }
            try stack.start(.mariadb)
            for name in names {
                #expect(
                    eventually(seconds: 20) { Self.readiness(settings[name.admin]) == 200 },
                    "\(name.binary)"
                )
            }
            let reply = try Hub(stack).register(
                "backup-reverse-1",
                vm: "reverse",
                totals: [1],
                telemetry: false
            )
            #expect(reply.status == 201)
            for process in running { process.terminate() }
            for (process, name) in zip(running, names) {
                #expect(try process.wait(seconds: 15).status == 0, "\(name.binary)")
            }
            for service in [Stack.Service.writer, .staleDetector, .ingest] { try stack.start(service) }
        }

        /// The status of `/readyz`; nil where nobody listens.
        private static func readiness(_ admin: String?) -> Int? {
            guard let port = admin?.split(separator: ":").last.flatMap({ Int($0) }) else { return nil }
            return try? HTTPConnection(port: port, timeoutSeconds: 3).request("GET", "/readyz").status
        }

        @Test func `a second ingest of the same address ends with its reason and signs nobody off`() throws {
            let stack = try stack()
            let connection = try stack.connection()
            let read = "SELECT COUNT(*), MAX(up_since_ms) FROM path_beats WHERE is_off = 0"
            #expect(eventually(seconds: 10) { (try? connection.query(read)[0].int(0)) == 2 })
            let before = try connection.query(read)
            var variables = try stack.settings()
            variables["SENDENSE_INGEST_ADMIN"] = "127.0.0.1:0"
            variables["SENDENSE_OUTBOX"] = "none"
            for _ in 0..<5 {
                let output = try stack.launch(["\(Stack.binaries)/sendense-ingest"], variables: variables)
                    .wait(seconds: 20)
                #expect(output.status == 2 && output.errorText.contains("cannot listen there"), "\(output)")
            }
            // Longer than the pause between two beats, which would begin anew.
            pause(milliseconds: 1000)
            #expect(try connection.query(read) == before)
        }

        @Test(arguments: ["ingest", "writer", "stale-detector"])
        func `a taken admin address is named with its setting`(service: String) throws {
            let stack = try stack()
            let variables = try stack.settings()
            let name = "SENDENSE_\(service.uppercased().replacing("-", with: "_"))_ADMIN"
            let address = try #require(variables[name])
            // It must not get in the way of the one at work, nor beat in its name.
            var own = variables
            own["SENDENSE_INGEST_LISTEN"] = "127.0.0.1:\(try HTTPConnection.freePort())"
            own["SENDENSE_INGEST_NAME"] = "twin"
            own["SENDENSE_WRITER_BIND"] = "tcp://127.0.0.1:\(try HTTPConnection.freePort())"
            own["SENDENSE_WRITER_NAME"] = "twin"
            own["SENDENSE_OUTBOX"] = "none"
            let output = try stack.launch(["\(Stack.binaries)/sendense-\(service)"], variables: own)
                .wait(seconds: 20)
            #expect(output.status == 2, "\(output)")
            #expect(
                output.errorText.contains("--\(service)-admin (\(name)) is \(address): cannot listen there"),
                "\(output)"
            )
        }

        @Test func `down leaves no process behind, and the database is there at the next up`() throws {
            let stack = try stack()
            let job = "backup-stays-1"
            #expect(try Hub(stack).register(job, vm: "stays", totals: [5], telemetry: false).status == 201)
            #expect(stack.processes().count >= 4)
            try stack.dev("down")
            #expect(stack.processes() == [])
            try stack.dev("up")
            #expect(try stack.connection().job(job).total == 5)
        }
    }
}
