import StackSupport
import Database
import Foundation
import TestSupport
import Testing

/// Line 15: times, limits, log lines.
extension EndToEndTests.WentWrongTests {
    /// How far a time is from now, in seconds, if it is written in UTC.
    private static func age(_ reply: HTTPReply) throws -> Double {
        let text = try #require(try reply.object()["timestamp"] as? String, "\(reply.text)")
        #expect(text.hasSuffix("Z"), "\(text)")
        let time = try #require(ISO8601DateFormatter().date(from: text), "\(text)")
        return Date().timeIntervalSince(time)
    }

    /// The earlier one printed the local time and a Z behind it.
    @Test func `15: times are UTC, whatever the services' zone`() throws {
        let stack = try EndToEndTests.stack()
        let hub = try Hub(stack)
        let job = "backup-wrong15-zone"
        try Self.register(hub, job, [1000])
        var client = OldClient(job: job, totals: [1000], seed: 15)
        let progress = try hub.send(client.progress(disk: 0, bytes: 10))
        let completion = try hub.send(client.complete(disk: 0))
        let refused = try hub.post("/api/v1/backups/backup-wrong15-nobody/complete", #"{"change_id":"x"}"#)
        #expect([progress, completion, refused].map(\.status) == [200, 200, 404])
        for reply in [progress, completion, refused] {
            let age = try Self.age(reply)
            #expect((-1...3).contains(age), "\(age) s: \(reply.text)")
        }
        // The zone is there for a wrong time to show.
        let zone = try stack.shell(
            "date +%z; cat /proc/$SENDENSE_PID_INGEST/environ | tr '\\0' '\\n' | grep ^TZ="
        )
        #expect(zone.text.contains("+0530") && zone.text.contains("TZ=IST-5:30"), "\(zone)")
        for service in [Stack.Service.ingest, .writer, .staleDetector] {
            // The newest line: others may be as old as the first suite that has used the folder.
            let line = try #require(stack.log(service).split(separator: "\n").last)
            let stamp = try #require(line.split(separator: " ").first)
            let whole = stamp.prefix { $0 != "." } + (stamp.contains(".") ? "Z" : "")
            let time = try #require(ISO8601DateFormatter().date(from: String(whole)), "\(stamp)")
            #expect(stamp.hasSuffix("Z") && (-1...600).contains(Date().timeIntervalSince(time)), "\(stamp)")
        }
    }

    /// The earlier one read whatever came, from everywhere.
    @Test func `15: a body over 64 KiB is refused, and so is an address that others reach`() throws {
        let stack = try EndToEndTests.stack()
        let hub = try Hub(stack)
        let job = "backup-wrong15-body"
        try Self.register(hub, job, [1000])
        let message = Hub.Message(job: job, seq: 1, bytes: [10], totals: [1000]).text
        let path = "/api/v1/telemetry/backup/\(job)"
        let room = 64 * 1024 - message.utf8.count
        let tooLarge = try hub.post(path, message + String(repeating: " ", count: room + 1))
        #expect(tooLarge.status == 413)
        #expect(try hub.post(path, message + String(repeating: " ", count: room)).status == 200)

        let settings = try stack.settings()
        for (program, variable, address) in [
            ("sendense-ingest", "SENDENSE_INGEST_LISTEN", "0.0.0.0:1"),
            ("sendense-writer", "SENDENSE_WRITER_BIND", "tcp://0.0.0.0:1"),
        ] {
            let output = try stack.launch(
                ["\(Stack.binaries)/\(program)"],
                variables: settings.merging([variable: address]) { $1 }
            ).wait(seconds: 10)
            #expect(output.status == 2 && output.errorText.contains("--insecure"), "\(program): \(output)")
        }
    }

    /// The earlier one wrote several lines per message.
    @Test func `15: a flood of messages leaves about one line per second and lane in the logs`() throws {
        let stack = try EndToEndTests.stack()
        let flood = try Flood(try Hub(stack), name: "wrong15", clientCount: 8)
        defer { flood.end() }
        func lines(_ service: Stack.Service) -> [Substring] { stack.log(service).split(separator: "\n") }
        #expect(flood.waitForAcknowledgements(8, seconds: 10))
        let before = (ingest: lines(.ingest).count, writer: lines(.writer).count, sum: flood.sum)
        let start = ContinuousClock.now
        pause(milliseconds: 2000)
        try flood.stop()
        let told = flood.sum.acknowledgements - before.sum.acknowledgements
        #expect(told > 100 && flood.sum.unexpected == [], "\(flood.sum)")
        let written = lines(.writer).dropFirst(before.writer)
        #expect(written.contains { $0.contains("Telemetry received and processed") })
        // Two lanes; for each a line per second, and the one that had begun.
        let lineCountMax = 2 * (Int((ContinuousClock.now - start) / .seconds(1)) + 2)
        #expect(written.count <= lineCountMax, "\(written.count) lines for \(told) messages")
        #expect(lines(.ingest).count - before.ingest <= 2)
    }
}
