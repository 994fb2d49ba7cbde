import Foundation
import Glibc
import Synchronization
import Threading

/// Many seeds, on a thread for each core: the threads that tests share have other work.
final class SeedRun: Sendable {
    struct Results {
        var failures: [(seed: UInt64, violation: String)] = []
        var seedCount = 0
        var eventCount = 0
        var markCount = 0
        var latest: (milliseconds: Int64, seed: UInt64) = (0, 0)
        var entryCountMax = 0

        var words: String {
            "\(seedCount) seeds, \(eventCount) events, \(markCount) marks, the latest \(latest.milliseconds) ms "
                + "after it could have been (seed \(latest.seed)), at most \(entryCountMax) entries in an outbox"
        }
    }

    /// After so many failures there is enough to look at.
    private static let failureCountMax = 20

    private let seeds: Range<UInt64>
    private let isTracing: Bool
    private let next: Atomic<UInt64>
    private let state = Mutex(Results())

    init(seeds: Range<UInt64>, isTracing: Bool) {
        self.seeds = seeds
        self.isTracing = isTracing
        next = Atomic(seeds.lowerBound)
    }

    func results() async -> Results {
        let threads = (0..<max(1, ProcessInfo.processInfo.activeProcessorCount)).map { number in
            DedicatedThread(name: "simulation-\(number)") { [self] in
                // Other tests measure time; they go first. On Linux this is of the calling thread alone.
                _ = setpriority(Int32(PRIO_PROCESS.rawValue), 0, 10)
                work()
            }
        }
        for thread in threads { await thread.ended() }
        return state.withLock { results in
            results.failures.sort { $0.seed < $1.seed }
            return results
        }
    }

    private func work() {
        while true {
            let seed = next.add(1, ordering: .relaxed).oldValue
            guard seeds.contains(seed), state.withLock({ $0.failures.count < Self.failureCountMax }) else {
                return
            }
            let world = World(seed: seed, isTracing: isTracing)
            let violation = world.run()
            state.withLock { results in
                results.seedCount += 1
                results.eventCount += world.scheduler.eventCount
                results.markCount += world.markCount
                if world.latest > results.latest.milliseconds { results.latest = (world.latest, seed) }
                results.entryCountMax = max(results.entryCountMax, world.entryCountMax)
                if let violation { results.failures.append((seed, violation)) }
            }
        }
    }
}
