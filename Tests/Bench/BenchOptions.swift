import StackSupport

/// What can be measured by itself.
enum Part: String, CaseIterable {
    /// The door beside nginx.
    case door
    /// The writer alone beside the raw limit of the database.
    case writer
    /// The whole path, at several numbers of connections.
    case path
    /// Old clients, new ones, and a few late messages among new ones.
    case mix
    /// Latency at shares of the peak.
    case latency
    /// The whole stack with a thousand running jobs.
    case thousand
    /// How late stale jobs are marked, in a large table under load.
    case stale
    /// A large fleet at a steady cadence.
    case fleet
    /// Cost by size of the tables and by disks of a job.
    case growth

    /// What `./dev bench` measures where nothing else is asked for; the others have targets of their own.
    static let standard: [Part] = [.door, .writer, .path, .mix, .latency, .thousand, .stale]
}

/// What the bench was asked for, by variables: `./dev bench NAME=VALUE` sets them.
struct BenchOptions {
    var parts: [Part]
    /// Rounds over all subjects.
    var roundCount: Int
    /// Seconds of each run.
    var seconds: Double
    /// Jobs in the tables.
    var jobCount: Int
    /// Jobs in the tables of the stale part.
    var staleJobCount: Int
    /// The most jobs in the tables of the growth part.
    var growthJobCount: Int
    /// Clients of the whole path, at three numbers; the door is measured at the first two, the mix at the second.
    var clientCounts: [Int]
    /// Requests per second that count as the peak, so that builds are compared at the same rates. nil: what the whole path
    /// had in this run.
    var peakPerSecond: Double?
    /// What all randomness follows from.
    var seed: UInt64
    /// Where the figures go. nil: nowhere.
    var jsonPath: String?

    init(_ variables: [String: String]) throws {
        func number(
            _ name: String,
            _ standard: Int,
            in range: ClosedRange<Int>,
            variable: String? = nil
        ) throws -> Int {
            guard let text = variables[variable ?? name], !text.isEmpty else { return standard }
            guard let value = Int(text), range.contains(value) else {
                throw EndToEndError(
                    "\(name)=\(text): it must be a whole number from \(range.lowerBound) to \(range.upperBound)"
                )
            }
            return value
        }
        let names = (variables["ONLY"] ?? "").split(separator: ",").map(String.init)
        parts = try names.map { name in
            guard let part = Part(rawValue: name) else {
                let known = Part.allCases.map(\.rawValue).joined(separator: ", ")
                throw EndToEndError("ONLY=\(name): there is none of that name; known are \(known)")
            }
            return part
        }
        if parts.isEmpty { parts = Part.standard }
        roundCount = try number("ROUNDS", 5, in: 1...1000)
        // bash counts on in SECONDS.
        seconds = Double(try number("SECONDS", 5, in: 1...3600, variable: "BENCH_SECONDS"))
        jobCount = try number("JOBS", 100_000, in: 2000...1_000_000)
        staleJobCount = try number("STALE_JOBS", 1_000_000, in: 21_000...5_000_000)
        growthJobCount = try number("GROWTH_JOBS", 1_000_000, in: 1000...1_000_000)
        let counts = (variables["CLIENTS"] ?? "64,1024,4096").split(separator: ",").map { Int($0) }
        clientCounts = counts.compactMap { $0 }.filter { (1...8000).contains($0) }
        guard counts.count == 3, clientCounts.count == 3 else {
            throw EndToEndError(
                "CLIENTS=\(variables["CLIENTS"] ?? ""): it must be three numbers from 1 to 8000"
            )
        }
        let peak = try number("PEAK", 0, in: 0...1_000_000)
        peakPerSecond = peak > 0 ? Double(peak) : nil
        // Short enough to be typed.
        seed = UInt64(try number("SEED", Int.random(in: 1...999_999), in: 0...Int.max))
        jsonPath = variables["JSON"].flatMap { $0.isEmpty ? nil : $0 }
    }
}
