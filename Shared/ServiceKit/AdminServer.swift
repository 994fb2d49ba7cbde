internal import Hummingbird
public import Logging
public import ServiceLifecycle
internal import Synchronization

/// The endpoints for operators: `/livez`, `/readyz`, `/metrics`. On loopback unless told otherwise.
public struct AdminServer: Service {
    private let host: String
    private let port: Int
    private let health: Health
    private let registry: PrometheusRegistry
    private let logger: Logger
    private let setting: String

    /// Creates the server; it listens once it runs.
    ///
    /// - Parameters:
    ///   - address: where to listen.
    ///   - setting: the key of the setting that the address comes from, as in `writer.admin`.
    ///   - health: what `/readyz` tells.
    ///   - registry: what `/metrics` tells.
    ///   - logger: the service's logger.
    public init(
        address: (host: String, port: Int),
        setting: String,
        health: Health,
        registry: PrometheusRegistry,
        logger: Logger
    ) {
        host = address.host
        port = address.port
        self.setting = setting
        self.health = health
        self.registry = registry
        var logger = logger
        // What it says on its own behalf is of no interest unless something is wrong.
        logger.logLevel = max(logger.logLevel, .warning)
        self.logger = logger
    }

    /// Serves until shutdown.
    ///
    /// - Throws: `SettingsError` where it cannot listen.
    public func run() async throws {
        let (health, registry) = (health, registry)
        let isListening = Mutex(false)
        let router = Router()
        router.get("/livez") { _, _ in "ok\n" }
        router.get("/readyz") { _, _ -> Response in
            let reasons = health.reasons
            let lines = (reasons.isEmpty ? ["ready"] : reasons) + health.remarks
            return Self.text(
                lines.joined(separator: "\n") + "\n",
                status: reasons.isEmpty ? .ok : .serviceUnavailable
            )
        }
        router.get("/metrics") { _, _ in
            Self.text(registry.exposition(), type: "text/plain; version=0.0.4; charset=utf-8")
        }
        let application = Application(
            router: router,
            configuration: .init(address: .hostname(host, port: port), serverName: nil),
            onServerRunning: { _ in isListening.withLock { $0 = true } },
            logger: logger
        )
        do {
            try await application.run()
        } catch  where !isListening.withLock({ $0 }) {
            throw SettingsError(
                "\(Setting.spellings(setting)) is \(host):\(port): cannot listen there: \(error)"
            )
        }
    }

    private static func text(
        _ body: String,
        status: HTTPResponse.Status = .ok,
        type: String = "text/plain; charset=utf-8"
    ) -> Response {
        Response(
            status: status,
            headers: [.contentType: type],
            body: .init(byteBuffer: ByteBuffer(string: body))
        )
    }
}
