/// What can be fuzzed. Each takes any bytes and throws a `Finding` where a promise does not hold.
enum FuzzTarget: String, CaseIterable, Sendable {
    /// The door's HTTP: the real pipeline and the routes, over bytes cut at arbitrary places.
    case door
    /// The decoder of the JSON bodies, with Foundation beside it.
    case telemetry
    /// The messages between ingest and writer.
    case wire
    /// The rules: sequences of messages for one job.
    case rules

    /// Tries one input.
    func check(_ input: [UInt8]) throws {
        switch self {
        case .door: try DoorTarget.check(input)
        case .telemetry: try TelemetryTarget.check(input)
        case .wire: try WireTarget.check(input)
        case .rules: try RulesTarget.check(input)
        }
    }
}

/// A promise that did not hold.
struct Finding: Error, CustomStringConvertible {
    /// What does not hold.
    var description: String

    init(_ description: String) {
        self.description = description
    }

    /// Throws unless the promise holds.
    static func unless(_ holds: Bool, _ claim: @autoclosure () -> String) throws {
        guard holds else { throw Finding(claim()) }
    }
}
