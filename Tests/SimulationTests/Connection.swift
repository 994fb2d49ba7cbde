import JobModel
import Wire

/// A link's connection to a writer; answers find their way back by it.
///
/// Unchecked: see `Scheduler`.
final class Connection: @unchecked Sendable {
    let number: Int
    /// Gone with its ingest's run.
    private weak let link: SimulatedLink?

    init(number: Int, link: SimulatedLink?) {
        self.number = number
        self.link = link
    }

    /// The ZeroMQ address.
    var sender: [UInt8] { [UInt8(truncatingIfNeeded: number)] }

    func answer(_ answers: [AnswerEnvelope]) {
        link?.carry(.fromWriter) { [self] in link?.receive(AnswerBatch(answers: answers), over: self) }
    }
}
