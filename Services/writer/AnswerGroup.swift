import JobModel
import Wire

/// Answers for one ingest.
struct AnswerGroup: Sendable {
    /// The ZeroMQ address of the ingest.
    let sender: [UInt8]
    /// The answers, in any order.
    private(set) var answers: [AnswerEnvelope] = []

    /// No answers yet.
    init(sender: [UInt8]) {
        self.sender = sender
    }

    /// Makes room for so many answers.
    mutating func reserveCapacity(_ count: Int) { answers.reserveCapacity(count) }

    /// Adds the answer to a message.
    mutating func append(_ answer: Answer, to messageID: UInt64) {
        answers.append(AnswerEnvelope(messageID: messageID, answer: answer))
    }

    /// The answers to a batch's items, by the ingests that wait for them; those are few, and most neighbours come from
    /// the same.
    static func all(_ items: [LaneItem], _ answers: [Answer]) -> [AnswerGroup] {
        var groups: [AnswerGroup] = []
        var current = 0
        for place in items.indices {
            let sender = items[place].sender
            if groups.isEmpty || groups[current].sender != sender {
                current = groups.firstIndex { $0.sender == sender } ?? groups.count
                if current == groups.count {
                    groups.append(AnswerGroup(sender: sender))
                    groups[current].reserveCapacity(items.count - place)
                }
            }
            groups[current].append(answers[place], to: items[place].messageID)
        }
        return groups
    }
}
