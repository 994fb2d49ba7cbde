import Foundation

/// One run of one subject.
struct Sample: Codable {
    var part: String
    var subject: String
    /// Counts from 1.
    var round: Int
    /// By name, which ends in the unit.
    var values: [String: Double]
}

/// A figure that is to be reached.
struct Target: Codable {
    enum Direction: String, Codable {
        case atLeast = "at least"
        case atMost = "at most"
    }

    var name: String
    var unit: String
    var direction: Direction
    /// nil: the figure is only shown.
    var must: Double?
    var aim: Double?
    /// The median of the rounds.
    var value: Double
    /// One for each round.
    var rounds: [Double]

    /// `aim`, `must` or `missed`; "" where nothing is demanded.
    var reached: String {
        func holds(_ limit: Double) -> Bool { direction == .atLeast ? value >= limit : value <= limit }
        guard let must else { return "" }
        guard holds(must) else { return "missed" }
        guard let aim else { return "must" }
        return holds(aim) ? "aim" : "must"
    }
}

/// Everything that a run of the bench has found, as it is kept.
struct Results: Codable {
    struct Machine: Codable {
        var cores: Int
        var memoryGibibytes: Double
        var kernel: String
        var mariadb: String
        /// The build of bench and services: debug or release.
        var configuration: String
    }

    /// Of this file: 1.
    var format = 1
    var date: String
    var seconds = 0.0
    var machine: Machine
    /// The options, by name.
    var options: [String: String]
    var samples: [Sample] = []
    var targets: [Target] = []
    /// What was acknowledged and is not stored, and whatever else is wrong.
    var faults: [String] = []
    /// Jobs whose rows were compared with what was acknowledged.
    var verifiedJobCount = 0
    var notes: [String] = []

    mutating func add(_ part: Part, _ subject: String, round: Int, _ values: [String: Double]) {
        samples.append(Sample(part: part.rawValue, subject: subject, round: round, values: values))
    }

    /// A value's rounds, in their order. Empty where it was not measured.
    func rounds(_ subject: String, _ value: String) -> [Double] {
        samples.filter { $0.subject == subject }.sorted { $0.round < $1.round }.compactMap {
            $0.values[value]
        }
    }

    func median(_ subject: String, _ value: String) -> Double? { rounds(subject, value).median }

    /// Subjects in the order in which they first occur.
    var subjects: [(part: String, name: String)] {
        var known: Set<String> = []
        return samples.filter { known.insert("\($0.part) \($0.subject)").inserted }
            .map { ($0.part, $0.subject) }
    }
}

extension [Double] {
    /// nil where there are none.
    var median: Double? {
        guard !isEmpty else { return nil }
        let ordered = sorted()
        let middle = count / 2
        return count % 2 == 1 ? ordered[middle] : (ordered[middle - 1] + ordered[middle]) / 2
    }
}
