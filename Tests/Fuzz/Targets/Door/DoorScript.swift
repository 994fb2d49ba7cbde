/// What happens on one connection, read from an input: HTTP bytes as they are, so that a corpus file can be
/// read and written by hand, with `0xFF` and a letter between them for all else.
struct DoorScript {
    enum Step: Equatable {
        /// The client sends these bytes; they arrive together.
        case bytes([UInt8])
        /// From here on a published message is answered so.
        case answering(Pace)
        /// From here on a published message gets this verdict.
        case verdict(Int)
        /// The oldest message that waits for its answer gets it.
        case answerOldest
        /// The client reads nothing any more: what is written stays on its way.
        case hold
        /// The client reads again.
        case release
        /// A second passes.
        case tick
        /// The door is told to shut down.
        case quiesce
        /// The client is gone.
        case vanish
    }

    /// When a published message is answered.
    enum Pace: Equatable {
        case atOnce, late, never
    }

    private(set) var steps: [Step] = []
    /// Nothing but bytes, in whatever pieces.
    private(set) var isPlain = true
    /// Connections may be idle, and requests incomplete, for no second at all instead of for long.
    private(set) var isHasty = false

    init(_ input: [UInt8]) {
        var pending: [UInt8] = []
        var rest = input[...]
        while let byte = rest.popFirst() {
            guard byte == 0xFF, let letter = rest.popFirst(), letter != 0xFF else {
                pending.append(byte)
                continue
            }
            if !pending.isEmpty { steps.append(.bytes(pending)) }
            pending = []
            take(Unicode.Scalar(letter))
        }
        if !pending.isEmpty { steps.append(.bytes(pending)) }
    }

    private mutating func take(_ letter: Unicode.Scalar) {
        let step: Step? =
            switch letter {
            case "n": .answering(.atOnce)
            case "l": .answering(.late)
            case "x": .answering(.never)
            case "0"..."9": .verdict(Int(letter.value - 0x30))
            case "a": .answerOldest
            case "h": .hold
            case "r": .release
            case "t": .tick
            case "q": .quiesce
            case "v": .vanish
            default: nil
            }
        if letter == "i" { isHasty = true }
        guard let step else { return }
        isPlain = false
        steps.append(step)
    }

    /// All bytes of a plain script, at once.
    var whole: [UInt8] {
        steps.flatMap { step in
            guard case .bytes(let bytes) = step else { return [UInt8]() }
            return bytes
        }
    }
}
