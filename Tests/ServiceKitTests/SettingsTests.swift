import Foundation
import ServiceKit
import Testing

@Suite struct SettingsTests {
    private static let declared =
        [Setting].common + [
            Setting("writer.bind", default: "tcp://127.0.0.1:5590", help: "endpoint"),
            Setting("stalled.after", default: "60", help: "seconds"),
            Setting("stale-detector.admin", default: "127.0.0.1:9591", help: "address"),
            Setting("database.password", default: "", isSecret: true, help: "password"),
        ]

    private func settings(
        _ arguments: [String] = [],
        _ environment: [String: String] = [:]
    ) async throws -> Settings {
        try await Settings(Self.declared, arguments: arguments, environment: environment)
    }

    @Test func `the command line wins over the environment, that over the file, that over the default`()
        async throws
    {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(#"{"writer": {"bind": "file"}, "stalled": {"after": 7}}"#.utf8).write(to: file)
        #expect(try await settings().string("writer.bind") == "tcp://127.0.0.1:5590")
        let fromFile = try await settings(["--config", file.path])
        #expect(try fromFile.string("writer.bind") == "file")
        #expect(try fromFile.int("stalled.after", in: 1...100) == 7)
        let environment = ["SENDENSE_WRITER_BIND": "environment", "SENDENSE_CONFIG": file.path]
        #expect(try await settings([], environment).string("writer.bind") == "environment")
        #expect(try await settings(["--writer-bind", "flag"], environment).string("writer.bind") == "flag")
        #expect(try await settings(["--writer-bind=flag"], environment).string("writer.bind") == "flag")
    }

    @Test func `the documented variables are the ones that are read`() async throws {
        let settings = try await settings(
            [],
            ["SENDENSE_STALLED_AFTER": "3", "SENDENSE_STALE_DETECTOR_ADMIN": "127.0.0.1:1"]
        )
        #expect(try settings.int("stalled.after", in: 1...10) == 3)
        #expect(try settings.address("stale-detector.admin").port == 1)
        for setting in Self.declared { #expect(setting.variable.hasPrefix("SENDENSE_")) }
    }

    @Test func `a secret may come from the file that its variable names`() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: file) }
        try Data("geheim\n".utf8).write(to: file)
        let settings = try await settings([], ["SENDENSE_DATABASE_PASSWORD_FILE": file.path])
        #expect(try settings.string("database.password") == "geheim")
    }

    @Test(arguments: [
        (["--no-such", "1"], "--no-such"),
        (["stray"], "stray"),
        (["--config", "/no/such/file.json"], "/no/such/file.json"),
    ])
    func `what makes no sense on the command line is named`(arguments: [String], name: String) async {
        do {
            _ = try await settings(arguments)
            Issue.record("\(arguments) was taken")
        } catch {
            #expect("\(error)".contains(name))
        }
    }

    @Test(arguments: ["x", "0", "101", "1.5"])
    func `a number out of bounds is refused with its bounds`(text: String) async throws {
        let settings = try await settings([], ["SENDENSE_STALLED_AFTER": text])
        #expect(throws: SettingsError.self) { try settings.int("stalled.after", in: 1...100) }
    }

    @Test(arguments: ["localhost", "127.0.0.1:x", ":99999"])
    func `an address without a port is refused`(text: String) async throws {
        let settings = try await settings([], ["SENDENSE_STALE_DETECTOR_ADMIN": text])
        #expect(throws: SettingsError.self) { try settings.address("stale-detector.admin") }
    }
}

@Suite struct HealthTests {
    @Test func `a service is ready once every part is`() {
        let health = Health(waitingFor: ["bus", "tables"])
        #expect(!health.isReady && health.reasons == ["bus: starting", "tables: starting"])
        #expect(health.ready("bus") && health.ready("tables"))
        #expect(health.isReady && !health.ready("bus"))
        #expect(health.obstructed("bus", by: "gone") && !health.obstructed("bus", by: "still gone"))
        #expect(health.reasons == ["bus: still gone"])
    }
}

@Suite struct LoopbackTests {
    @Test(arguments: ["localhost", "::1", "127.0.0.1", "127.255.0.3"])
    func `an address of this machine's loopback is one`(host: String) {
        #expect(Loopback.contains(host: host))
    }

    @Test(arguments: ["0.0.0.0", "127.example.com", "10.0.0.1", "127.0.0", "::", ""])
    func `any other is none`(host: String) {
        #expect(!Loopback.contains(host: host))
    }

    @Test func `a bus endpoint is judged by its host`() {
        #expect(
            Loopback.contains(endpoint: "tcp://127.0.0.1:5590")
                && Loopback.contains(endpoint: "tcp://[::1]:5590")
        )
        for endpoint in ["tcp://*:5590", "tcp://0.0.0.0:5590", "tcp://eth0:5590", "tcp:", ""] {
            #expect(!Loopback.contains(endpoint: endpoint), "\(endpoint)")
        }
    }
}
