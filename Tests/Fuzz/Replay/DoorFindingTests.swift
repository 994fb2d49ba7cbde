import Foundation
import Testing

/// What fuzzing the door has found, where the corpus alone would not show it.
@Suite struct DoorFindingTests {
    private let health = "GET /health HTTP/1.1\r\nHost: hub\r\n\r\n"
    private let complete =
        "POST /api/v1/backups/a/complete HTTP/1.1\r\nContent-Length: 17\r\n\r\n{\"change_id\":\"a\"}"

    private func play(_ script: String) throws -> DoorConnection {
        // In a script of these tests `~` stands for the byte that begins a command.
        let input = script.utf8.map { $0 == UInt8(ascii: "~") ? 0xFF : $0 }
        let connection = try DoorConnection(isHasty: false)
        try connection.play(DoorScript(input).steps)
        return connection
    }

    private func text(_ connection: DoorConnection) -> String {
        String(decoding: connection.received, as: UTF8.self)
    }

    @Test func `thousands of requests that came at once do not exhaust the stack`() throws {
        // The first waits for its writer; meanwhile the others arrive, as many as one read takes.
        let count = 64 * 1024 / health.utf8.count
        let connection = try play("~l" + complete + String(repeating: health, count: count) + "~a")
        #expect(text(connection).components(separatedBy: "HTTP/1.1 200 OK").count - 1 == count + 1)
    }

    @Test func `a request behind one that closes the connection is not handed on`() throws {
        let closing = health.replacing("Host", with: "Connection: close\r\nHost")
        let connection = try play(closing + complete)
        #expect(connection.requests.filter { $0.servedCount > 0 }.count == 1)
        #expect(text(connection).components(separatedBy: "HTTP/1.1 ").count == 2)
        #expect(connection.isClosed)
    }

    @Test func `nothing is handed on behind a refusal that its client has not read yet`() throws {
        let tooLarge = complete.replacing("17", with: "9999")
        let connection = try play("~h" + tooLarge + String(repeating: " ", count: 9999) + complete + "~r")
        #expect(connection.requests.allSatisfy { $0.servedCount == 0 })
        #expect(text(connection).hasPrefix("HTTP/1.1 413 "))
        #expect(text(connection).components(separatedBy: "HTTP/1.1 ").count == 2)
    }

    @Test func `an answer to HEAD has the length of a body and no body`() throws {
        let answer = text(try play(health.replacing("GET", with: "HEAD")))
        #expect(answer.hasPrefix("HTTP/1.1 405 ") && answer.hasSuffix("\r\n\r\n"))
        #expect(answer.contains("content-length: ") && !answer.contains("content-length: 0"))
    }

    @Test(arguments: [
        "CONNECT hub:80 HTTP/1.1\r\nHost: hub\r\n\r\n",
        "GET /health HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    ])
    func `a connection on which nothing more would be read is closed with the answer`(request: String) throws
    {
        let connection = try play(request)
        #expect(text(connection).contains("connection: close"))
        #expect(connection.isClosed)
    }

    @Test(arguments: [
        ("\u{16}\u{03}\u{01}\r\n\r\n", 400), ("GET /health HTTP/3.9\r\n\r\n", 400),
        ("GET /health HTTP/1.1\r\nX: " + String(repeating: "x", count: 90_000), 431),
    ])
    func `bytes that are no request are refused with a problem document`(bytes: String, status: Int) throws {
        let answer = text(try play(bytes))
        #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
        #expect(answer.contains("application/problem+json"))
        #expect(answer.contains("\"status\":\(status)"))
    }

    @Test func `an HTTP 1_0 client is sent no interim response`() throws {
        let request = complete.replacing("HTTP/1.1", with: "HTTP/1.0\r\nExpect: 100-continue")
        #expect(text(try play(request)).hasPrefix("HTTP/1.1 200 OK"))
        let newer = complete.replacing("HTTP/1.1", with: "HTTP/1.1\r\nExpect: 100-continue")
        #expect(text(try play(newer)).hasPrefix("HTTP/1.1 100 Continue"))
    }

    @Test func `garbage in two pieces behind a request does not cost the request its answer`() throws {
        let answer = text(try play("~l" + complete + "garbage\r\n~smore~a"))
        #expect(answer.hasPrefix("HTTP/1.1 200 OK"))
        #expect(answer.contains("HTTP/1.1 400 Bad Request"))
    }
}
