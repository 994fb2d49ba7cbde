import NIOHTTP1

extension DoorResponse {
    /// Writes the whole response, status line to body, as it goes over the connection.
    func write(into bytes: inout [UInt8], keepsAlive: Bool) {
        if status == 200 {
            bytes += "HTTP/1.1 200 OK\r\ncontent-type: ".utf8
        } else {
            let status = HTTPResponseStatus(statusCode: status)
            bytes += "HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\ncontent-type: ".utf8
        }
        bytes += contentType.utf8
        bytes += "\r\ncontent-length: ".utf8
        bytes += String(body.count).utf8
        for header in headers { bytes += "\r\n\(header.name): \(header.value)".utf8 }
        if !keepsAlive { bytes += "\r\nconnection: close".utf8 }
        bytes += "\r\n\r\n".utf8
        bytes += body
    }
}
