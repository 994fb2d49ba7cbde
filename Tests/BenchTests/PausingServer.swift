import Foundation
import Glibc
import StackSupport
import Synchronization

/// An HTTP server that answers each request at once, but for one pause in which it answers nobody.
final class PausingServer: Sendable {
    let port: Int
    private let listener: Int32
    private let status: Int
    private let answered = Mutex(0)
    private let pauseAfter: Int
    private let pauseMilliseconds: UInt32

    init(status: Int = 200, pauseAfter: Int = .max, pauseMilliseconds: UInt32 = 0) throws {
        self.status = status
        self.pauseAfter = pauseAfter
        self.pauseMilliseconds = pauseMilliseconds
        port = try ServicePorts.take()
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let code = unsafe LocalAddress.with(port) { [listener] in unsafe bind(listener, $0, $1) }
        guard code == 0, listen(listener, 16) == 0 else { throw EndToEndError("no listener: errno \(errno)") }
        Thread { [self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                Thread { self.serve(client) }.start()
            }
        }.start()
    }

    private func serve(_ client: Int32) {
        var buffer = [UInt8](repeating: 0, count: 8192)
        // One message is one segment on loopback, and the load sends the next one only after the answer.
        while unsafe recv(client, &buffer, buffer.count, 0) > 0 {
            answered.withLock { answered in
                answered += 1
                // Under the lock: nobody is answered meanwhile.
                if answered == pauseAfter { pause(milliseconds: pauseMilliseconds) }
            }
            let answer = Array("HTTP/1.1 \(status) Fine\r\nContent-Length: 2\r\n\r\n{}".utf8)
            guard unsafe send(client, answer, answer.count, Int32(MSG_NOSIGNAL)) == answer.count else {
                break
            }
        }
        close(client)
    }
}
