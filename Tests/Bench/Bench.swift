import Database
import Foundation
import Glibc
import StackSupport
import Threading

/// The bench: the services beside the limits of the machine, in turns, on durable tables.
@main
enum Bench {
    private static let descriptorCount: rlim_t = 16_384

    static func main() {
        signal(SIGPIPE, SIG_IGN)
        endOnSignals()
        raiseDescriptorLimit()
        DatabaseLibrary.initialize()
        do {
            if CommandLine.arguments.dropFirst().first == "plots" { return try plot(CommandLine.arguments) }
            let options = try BenchOptions(ProcessInfo.processInfo.environment)
            exit(try run(options) ? 0 : 1)
        } catch {
            FileHandle.standardError.write(Data("bench: \(error)\n".utf8))
            exit(2)
        }
    }

    /// `Bench plots FILE[,FILE] FOLDER`
    private static func plot(_ arguments: [String]) throws {
        guard arguments.count == 4 else { throw EndToEndError("Bench plots FILE[,FILE] FOLDER") }
        try Plots.make(from: arguments[2].split(separator: ",").map(String.init), in: arguments[3])
    }

    /// Measures, prints the tables, and writes the file.
    ///
    /// - Returns: whether all that was acknowledged is stored, and as good as all was acknowledged.
    private static func run(_ options: BenchOptions) throws -> Bool {
        let start = MonotonicClock.nowNanoseconds
        let parts = options.parts.map(\.rawValue).joined(separator: ", ")
        Printout.say("==> \(parts); \(options.roundCount) rounds, SEED=\(options.seed)")
        let server = try BenchServer()
        let bench = Workbench(options, server, Results(options, mariadb: server.version))
        try measure(bench)
        bench.noteOthers()
        bench.results.targets = Targets(bench.results, clientCounts: options.clientCounts).all
        bench.results.seconds = Double(MonotonicClock.nowNanoseconds - start) / 1e9
        Printout.tables(bench.results)
        if let path = options.jsonPath {
            try bench.results.write(to: path)
            Printout.say("\(path) has the figures.")
        }
        return bench.results.faults.isEmpty
    }

    private static func measure(_ bench: Workbench) throws {
        let parts = Set(bench.options.parts)
        if !parts.isDisjoint(with: [.door, .writer, .path, .mix]) { try Rounds(bench).run() }
        let peaks = bench.options.clientCounts.compactMap {
            bench.results.median(Rounds.name(path: $0), "rate_per_s")
        }
        let peak = bench.options.peakPerSecond ?? peaks.max()
        if parts.contains(.latency) { try LatencyPart.run(bench, peakPerSecond: peak) }
        if parts.contains(.thousand) { try ThousandPart.run(bench) }
        if parts.contains(.fleet) { try FleetPart.run(bench) }
        if parts.contains(.growth) { try GrowthPart.run(bench) }
        if parts.contains(.stale) { try StalePart.run(bench, perSecond: (peak ?? 4000) / 2) }
    }

    /// Each client of the load is a descriptor here, and one in ingest, which inherits the limit.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = max(limit.rlim_cur, min(limit.rlim_max, descriptorCount))
        unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
