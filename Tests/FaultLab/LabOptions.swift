import StackSupport

/// What the lab was asked for, by variables: `./dev faults NAME=VALUE` sets them.
struct LabOptions {
    /// What all randomness follows from.
    var seed: UInt64
    /// What to run, in this order.
    var scenarios: [Scenario]
    var listsOnly: Bool
    /// Where the logs of a failed scenario are kept.
    var logFolder: String
    /// The lab has a network and mounts of its own, which go with it.
    var hasNamespaces: Bool

    init(_ variables: [String: String]) throws {
        if let text = variables["SEED"], !text.isEmpty {
            guard let seed = UInt64(text) else {
                throw EndToEndError("SEED=\(text): it must be a whole number from 0 to \(UInt64.max)")
            }
            self.seed = seed
        } else {
            // Short enough to be typed.
            seed = UInt64.random(in: 1...999_999)
        }
        listsOnly = variables["LIST"] == "1"
        hasNamespaces = variables["FAULTS_NAMESPACES"] == "1"
        logFolder = variables["FAULTS_LOGS"] ?? "/tmp/sendense-faults"
        let names = (variables["SCENARIO"] ?? "").split(separator: ",").map(String.init)
        guard !names.isEmpty else {
            scenarios = Scenario.all
            return
        }
        scenarios = try names.map { name in
            guard let scenario = Scenario.all.first(where: { $0.name == name }) else {
                throw EndToEndError("SCENARIO=\(name): there is none of that name; LIST=1 lists them")
            }
            return scenario
        }
    }
}
