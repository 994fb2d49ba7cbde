import Database
import StackSupport
import TestSupport
import Threading

/// What the parts share: the options, the server, and the results so far.
final class Workbench {
    let options: BenchOptions
    let server: BenchServer
    var results: Results
    private var generator: SplitMix64

    init(_ options: BenchOptions, _ server: BenchServer, _ results: Results) {
        self.options = options
        self.server = server
        self.results = results
        generator = SplitMix64(seed: options.seed)
    }

    /// A seed for one purpose.
    func seed() -> UInt64 { generator.next() }

    /// Keeps a sample, and prints it.
    func keep(_ part: Part, _ subject: String, round: Int, _ values: [String: Double]) {
        results.add(part, subject, round: round, values)
        if let sample = results.samples.last { Printout.tell(sample) }
    }

    /// Finds something wrong.
    func fault(_ line: String) {
        results.faults.append(line)
        Printout.say("  FAULT  \(line)")
    }

    /// Judges what was not served: more than one in a hundred spoils the run.
    func judge(_ subject: String, _ outcome: HTTPLoad.Outcome) {
        guard Double(outcome.faultCount) > 0.01 * Double(outcome.sentInAll) else { return }
        let statuses = outcome.otherStatuses.sorted { $0.key < $1.key }.map { "\($0.value) times \($0.key)" }
        fault(
            "\(subject): of \(outcome.sentInAll) messages \(outcome.faultCount) were not served: "
                + (statuses + ["\(outcome.broken) broken off", "\(outcome.unanswered) unanswered"])
                .joined(separator: ", ")
        )
    }

    /// Compares what was acknowledged with what is stored.
    func verify(_ ledger: Ledger, in database: BenchDatabase, hasSeq: Bool = true) throws {
        let (count, lost) = try ledger.verify(database.connection, hasSeq: hasSeq, using: &generator)
        results.verifiedJobCount += count
        for line in lost { fault(line) }
    }

    /// Says so where others were at work in too many runs.
    func noteOthers() {
        let shares = results.samples.compactMap { $0.values["others_share"] }
        let spoilt = shares.filter { $0 > 0.1 }.count
        guard spoilt * 4 > shares.count else { return }
        results.notes.append(
            "In \(spoilt) of \(shares.count) runs others used more than 10 % of the machine: believe no rate."
        )
    }

    /// What one subject leaves to do (pages to write, rows to purge) is not the next one's.
    func settle() { Pause.milliseconds(300) }
}
