import NIOHTTP1
import TelemetryContract

extension DoorResponse {
    /// Writes the whole response, status line to body, as it goes over the connection, over what is there.
    func write(over bytes: inout [UInt8], keepsAlive: Bool) {
        var (statusLine, more) = ("", "")
        if status != 200 {
            let status = HTTPResponseStatus(statusCode: status)
            statusLine = "HTTP/1.1 \(status.code) \(status.reasonPhrase)"
        }
        for header in headers { more += "\r\n\(header.name): \(header.value)" }
        if !keepsAlive { more += "\r\nconnection: close" }
        let parts = statusLine.utf8.count + contentType.utf8.count + more.utf8.count + body.count
        // Room for all at once: each append to an array asks whether it may.
        bytes.removeAll(keepingCapacity: true)
        bytes.append(addingCapacity: 128 + parts) { output in
            if status == 200 {
                output.append(copying: "HTTP/1.1 200 OK\r\ncontent-type: ")
            } else {
                output.append(copying: statusLine.utf8.span)
                output.append(copying: "\r\ncontent-type: ")
            }
            output.append(copying: contentType.utf8.span)
            output.append(copying: "\r\ncontent-length: ")
            output.append(decimal: Int64(body.count))
            output.append(copying: more.utf8.span)
            output.append(copying: "\r\n\r\n")
            output.append(copying: body.span)
        }
    }
}
