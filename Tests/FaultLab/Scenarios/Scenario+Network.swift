import StackSupport
import Synchronization
import TestSupport

extension Scenario {
    /// What lies between ingest and the writer.
    static let network: [Scenario] = [
        Scenario(
            name: "network-cut",
            summary: "packets between ingest and writer are dropped, each way, or rejected",
            needs: [.namespaces, .file("/usr/sbin/nft", package: "nftables")],
            run: cutNetwork
        ),
        Scenario(
            name: "network-slow",
            summary: "every packet between ingest and writer takes 50 ms to 3 s more",
            run: slowNetwork
        ),
        Scenario(
            name: "network-half-open",
            summary: "connections between ingest and writer stay open, and nothing comes out of them",
            run: halfOpenNetwork
        ),
    ]

    @Sendable private static func cutNetwork(_ trial: Trial) throws {
        let far = try FarWriter()
        trial.atEnd { far.remove() }
        let site = try trial.site(Site.Plan(writerHost: FarWriter.host, writerPrefix: far.prefix))
        var generator = trial.generator()
        let load = Load(trial, site)
        for number in 0..<12 {
            let trouble = FarWriter.Trouble.allCases[number % FarWriter.Trouble.allCases.count]
            let isLong = number == 8
            if isLong { load.steady.die(0..<2) }
            try trial.outage {
                try far.set(trouble, port: site.writerPorts[0])
                trial.fault()
                pause(milliseconds: isLong ? 10_000 : UInt32.random(in: 200...3000, using: &generator))
                try far.heal()
                for service in site.services { try service.waitUntilReady() }
            }
            load.expectService("after \(trouble.rawValue)")
        }
        try trial.settle(site, load)
    }

    /// A site whose ingest reaches its writer through a proxy.
    private static func site(_ trial: Trial) throws -> (Site, Proxy) {
        let made = Mutex<Proxy?>(nil)
        let site = try trial.site(
            Site.Plan(
                detour: { port in
                    let proxy = try Proxy(to: port)
                    made.withLock { $0 = proxy }
                    return proxy.port
                }
            )
        )
        guard let proxy = made.withLock({ $0 }) else { throw EndToEndError("no proxy") }
        trial.atEnd { proxy.stop() }
        return (site, proxy)
    }

    @Sendable private static func slowNetwork(_ trial: Trial) throws {
        let (site, proxy) = try site(trial)
        let load = Load(trial, site)
        for milliseconds in [50, 400, 1200, 3000] as [UInt32] {
            // Slower than ingest waits for an answer, the path is as good as down.
            try trial.outage {
                proxy.set(.slow(milliseconds))
                trial.fault()
                pause(milliseconds: 5000)
                proxy.set(.fair)
                for service in site.services { try service.waitUntilReady() }
            }
            load.expectService("after a delay of \(milliseconds) ms")
        }
        try trial.settle(site, load)
    }

    @Sendable private static func halfOpenNetwork(_ trial: Trial) throws {
        let (site, proxy) = try site(trial)
        var generator = trial.generator()
        let load = Load(trial, site)
        for number in 0..<8 {
            let isLong = number == 4
            if isLong { load.steady.die(0..<2) }
            // Where only answers are lost, what clients say is recorded all the same.
            try trial.outage(isOurs: number.isMultiple(of: 2)) {
                proxy.set(number.isMultiple(of: 2) ? .halfOpen : .deafOneWay)
                trial.fault()
                pause(milliseconds: isLong ? 10_000 : UInt32.random(in: 300...3000, using: &generator))
                if Bool.random(using: &generator) { proxy.breakConnections() }
                proxy.set(.fair)
                for service in site.services { try service.waitUntilReady() }
            }
            load.expectService("after a half-open connection")
        }
        try trial.settle(site, load)
    }
}
