import StackSupport
import TestSupport

extension Scenario {
    /// Services that end in order, come in any order, and are there twice.
    static let services: [Scenario] = [
        Scenario(
            name: "sigterm",
            summary: "each service is asked to end 6 times under load: exit 0 within 10 s",
            run: endInOrder
        ),
        Scenario(
            name: "restart-orders",
            summary: "all four are ended, and started in each of the 24 orders",
            run: restartInEveryOrder
        ),
        Scenario(
            name: "one-of-two-ingests",
            summary: "one of two ingests dies and stays away for longer than the failed threshold",
            run: loseOneIngest
        ),
        Scenario(
            name: "two-of-each",
            summary:
                "two ingests, writers and detectors side by side while clients die; nothing counts twice",
            run: runTwoOfEach
        ),
    ]

    @Sendable private static func endInOrder(_ trial: Trial) throws {
        let site = try trial.site(Site.Plan(server: Site.Plan.durableServer))
        var generator = trial.generator()
        let load = Load(trial, site)
        for _ in 0..<6 {
            for service in site.services {
                pause(milliseconds: UInt32.random(in: 0...400, using: &generator))
                try trial.outage(isOurs: service.kind != .staleDetector) {
                    let begin = LabClock.now
                    let status = service.terminate()
                    trial.fault()
                    let text = status.map { "exit status \($0)" } ?? "not done"
                    trial.expect(
                        status == 0,
                        "\(service.name) on SIGTERM: \(text) after \(LabClock.now - begin) ms"
                    )
                    try service.start()
                    try service.waitUntilReady()
                }
            }
        }
        load.expectService("in the end")
        try trial.settle(site, load)
    }

    @Sendable private static func restartInEveryOrder(_ trial: Trial) throws {
        let site = try trial.site(Site.Plan(server: Site.Plan.durableServer))
        var generator = trial.generator()
        let load = Load(trial, site, new: 6, old: 6, churn: Fleet.mix(new: 3, old: 3))
        for (number, order) in permutations(4).enumerated() {
            try trial.outage {
                for place in order.shuffled(using: &generator) {
                    trial.fault()
                    if place < site.services.count {
                        let service = site.services[place]
                        if number.isMultiple(of: 2) {
                            service.kill9()
                        } else {
                            let status = service.terminate()
                            trial.expect(status == 0, "\(service.name) on SIGTERM: \(status ?? -1)")
                        }
                    } else {
                        site.server.stop()
                    }
                }
                for place in order {
                    if place < site.services.count {
                        try site.services[place].start()
                    } else {
                        try site.server.restart()
                    }
                    pause(milliseconds: UInt32.random(in: 0...200, using: &generator))
                }
                for service in site.services { try service.waitUntilReady() }
            }
            load.expectService("after the start in the order \(order)")
        }
        try trial.settle(site, load)
    }

    private static func permutations(_ count: Int) -> [[Int]] {
        guard count > 0 else { return [[]] }
        return permutations(count - 1).flatMap { rest in
            (0...rest.count).map { place in
                var order = rest
                order.insert(count - 1, at: place)
                return order
            }
        }
    }

    @Sendable private static func loseOneIngest(_ trial: Trial) throws {
        let site = try trial.site(Site.Plan(ingestCount: 2))
        let load = Load(trial, site, new: 12, old: 12)
        for victim in site.ingests {
            load.steady.die([victim.name == "ingest-1" ? 0 : 1])
            try trial.outage {
                victim.kill9()
                trial.fault()
                load.expectService("by the other ingest")
                pause(milliseconds: 10_000)
                try victim.start()
                try victim.waitUntilReady()
            }
            load.expectService("by both again")
        }
        try trial.settle(site, load)
    }

    @Sendable private static func runTwoOfEach(_ trial: Trial) throws {
        let site = try trial.site(Site.Plan(ingestCount: 2, writerCount: 2, detectorCount: 2))
        let load = Load(trial, site, new: 16, old: 16, churn: Fleet.mix(new: 10, old: 10))
        for number in 0..<8 {
            pause(milliseconds: 1000)
            load.steady.die([number])
            trial.fault()
        }
        try trial.settle(site, load)
    }
}
