package import TestSupport

/// One client's way to the hub: its requests go over one connection, as long as the hub keeps that open.
package final class Player {
    private let hub: Hub
    private var connection: HTTPConnection?

    package init(_ hub: Hub) { self.hub = hub }

    /// Posts a request and waits for its answer.
    @discardableResult
    package func send(_ request: ClientRequest) throws -> HTTPReply {
        let open = try connection ?? HTTPConnection(port: hub.port)
        connection = nil
        let reply = try open.request("POST", request.path, body: request.body)
        if reply.headers["connection"] != "close" { connection = open }
        return reply
    }

    /// Posts requests, one after the other.
    ///
    /// - Throws: `EndToEndError` with the request and its answer, where that is not 200.
    package func play(_ requests: some Sequence<ClientRequest>) throws {
        for request in requests {
            let reply = try send(request)
            guard reply.status == 200 else {
                throw EndToEndError("\(reply.status) \(reply.text) to \(request.path) \(request.body)")
            }
        }
    }
}
