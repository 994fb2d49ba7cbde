import StackSupport
import Foundation
import Glibc
import Testing

extension EndToEndTests.GuideTests {
    private static let path = "/api/v1/telemetry/backup/"

    @Test func `a registration is answered 201, its exact repeat 200, and a contradiction 409`() throws {
        let hub = try Hub(EndToEndTests.stack())
        let job = "backup-contract1-1"
        let created = try hub.register(job, vm: "contract1", totals: [1000], telemetry: true)
        #expect(created.status == 201)
        let object = try created.object()
        #expect(object["status"] as? String == "created" && object["backup_id"] as? String == job)
        #expect(object["attempt"] as? Int == 1 && object["stored_seq"] as? Int == 0)
        let again = try hub.register(job, vm: "contract1", totals: [1000], telemetry: true)
        #expect(again.status == 200)
        #expect(try again.object()["status"] as? String == "exists")
        #expect(try hub.register(job, vm: "other1", totals: [1000], telemetry: true).status == 409)
        #expect(try hub.register(job, vm: "contract1", totals: [1, 2], telemetry: true).status == 409)
    }

    @Test func `telemetry is answered 404 for an unknown job and 409 for a finished one`() throws {
        let stack = try EndToEndTests.stack()
        let hub = try Hub(stack)
        let job = "backup-contract2-1"
        var message = Hub.Message(job: job, seq: 1, bytes: [500], totals: [1000])
        let unknown = try hub.telemetry(message)
        #expect(unknown.status == 404)
        #expect(unknown.headers["content-type"] == "application/problem+json")
        #expect(try unknown.object()["command"] as? String == "register")

        #expect(try hub.register(job, vm: "contract2", totals: [1000], telemetry: true).status == 201)
        let taken = try hub.telemetry(message)
        #expect(taken.status == 200)
        let object = try taken.object()
        #expect(object["status"] as? String == "success")
        #expect(object["message"] as? String == "Telemetry received and processed")
        #expect((object["timestamp"] as? String)?.hasSuffix("Z") == true)
        // The same once more: nothing changes, and it is no error.
        #expect(try hub.telemetry(message).status == 200)

        #expect(try hub.complete(job, disk: 7).status == 404)
        #expect(try hub.complete(job, disk: 0).status == 200)
        message.seq = 2
        message.bytes = [900]
        let late = try hub.telemetry(message)
        #expect(late.status == 409)
        #expect(try late.object()["job_status"] as? String == "completed")
        let row = try stack.connection().job(job)
        #expect(row.status == "completed" && row.bytes == 500 && row.seq == 1)
    }

    @Test func `a refusal names each bad member by its JSON pointer`() throws {
        let hub = try Hub(EndToEndTests.stack())
        let body = """
            {"job_id":"a","job_type":"backup","status":"flying","current_phase":"transferring",\
            "bytes_transferred":-1,"total_bytes":10,\
            "disks":[{"disk_index":0,"bytes_transferred":"x","status":"completed"}]}
            """
        let reply = try hub.post(Self.path + "a", body)
        #expect(reply.status == 400)
        #expect(reply.headers["content-type"] == "application/problem+json")
        let errors = try #require(try reply.object()["errors"] as? [[String: Any]])
        let pointers = Set(errors.compactMap { $0["pointer"] as? String })
        #expect(pointers == ["/status", "/bytes_transferred", "/disks/0/bytes_transferred"], "\(reply.text)")
        #expect(try hub.post(Self.path + "b", #"{"job_id":"#).status == 400)
    }

    @Test func `a refused completion keeps the members that old clients read`() throws {
        let hub = try Hub(EndToEndTests.stack())
        for (body, status) in [(#"{"disk_id":0}"#, 400), (#"{"change_id":"52 66/1"}"#, 404)] {
            let reply = try hub.post("/api/v1/backups/backup-nobody-1/complete", body)
            #expect(reply.status == status)
            let object = try reply.object()
            for member in ["error", "details", "timestamp"] {
                #expect((object[member] as? String)?.isEmpty == false, "\(member): \(reply.text)")
            }
        }
    }

    @Test func `what the door does not serve is refused with the right status`() throws {
        let hub = try Hub(EndToEndTests.stack())
        #expect(try hub.get("/api/v1/nothing").status == 404)
        let wrongMethod = try hub.get(Self.path + "a")
        #expect(wrongMethod.status == 405 && wrongMethod.headers["allow"] == "POST")
        let message = Hub.Message(job: "a", seq: 1, bytes: [1], totals: [1])
        let restore = message.text.replacingOccurrences(of: #""backup""#, with: #""restore""#)
        #expect(try hub.post("/api/v1/telemetry/restore/a", restore).status == 422)
        let tooLarge = try hub.post(Self.path + "a", String(repeating: " ", count: 64 * 1024 + 1))
        #expect(tooLarge.status == 413)
        let connection = try HTTPConnection(port: hub.port)
        try connection.send("this is not HTTP\r\n\r\n")
        #expect(try connection.receive().status == 400)
    }

    @Test func `a client that does not finish its request is cut off after ten seconds`() throws {
        let hub = try Hub(EndToEndTests.stack())
        let connection = try HTTPConnection(port: hub.port, timeoutSeconds: 20)
        let start = ContinuousClock.now
        try connection.send("POST \(Self.path)a HTTP/1.1\r\nHost: localhost\r\nContent-Le")
        #expect(connection.isClosedByServer())
        let waited = ContinuousClock.now - start
        #expect(waited > .seconds(9) && waited < .seconds(14), "\(waited)")
    }

    @Test(.enabled(if: getuid() == 0, "only root can be another user; else all tests show it"))
    func `ingest serves clients also where it does not run as root`() throws {
        let stack = try EndToEndTests.stack()
        // Its own folder is closed to others.
        let folder = "/tmp/sendense-nobody-\(getpid())"
        defer { _ = try? stack.shell("rm -rf \(folder)") }
        let copied = try stack.shell(
            "mkdir -m 755 \(folder) && install -m 755 \(Stack.binaries)/sendense-ingest \(folder)/"
        )
        try #require(copied.status == 0, "\(copied)")
        let port = try HTTPConnection.freePort()
        let ingest = try stack.launch(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "\(folder)/sendense-ingest"],
            variables: [
                "SENDENSE_INGEST_LISTEN": "127.0.0.1:\(port)", "SENDENSE_INGEST_ADMIN": "127.0.0.1:0",
                "SENDENSE_WRITERS": try stack.settings()["SENDENSE_WRITERS"] ?? "",
            ]
        )
        defer { ingest.kill9() }
        let isServed = eventually(seconds: 10) {
            (try? HTTPConnection(port: port).request("GET", "/api/v1/health").status) == 200
        }
        #expect(isServed, "\(ingest.isRunning)")
    }

    @Test func `one connection serves many requests`() throws {
        let hub = try Hub(EndToEndTests.stack())
        let connection = try HTTPConnection(port: hub.port)
        for _ in 0..<20 { #expect(try connection.request("GET", "/health").status == 200) }
    }
}
