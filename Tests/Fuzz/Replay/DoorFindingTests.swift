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
}
