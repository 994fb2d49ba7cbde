import NIOCore
import NIOHTTP1

extension DoorResponse {
    /// Writes the whole response, status line to body, as it goes over the connection.
    func write(into buffer: inout ByteBuffer, keepsAlive: Bool) {
        if status == 200 {
            buffer.writeStaticString("HTTP/1.1 200 OK\r\ncontent-type: ")
        } else {
            let status = HTTPResponseStatus(statusCode: status)
            buffer.writeString("HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\ncontent-type: ")
        }
        buffer.writeString(contentType)
        buffer.writeStaticString("\r\ncontent-length: ")
        buffer.writeString(String(body.count))
        for header in headers { buffer.writeString("\r\n\(header.name): \(header.value)") }
        if !keepsAlive { buffer.writeStaticString("\r\nconnection: close") }
        buffer.writeStaticString("\r\n\r\n")
        buffer.writeBytes(body)
    }
}
