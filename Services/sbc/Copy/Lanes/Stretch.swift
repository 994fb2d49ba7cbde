/// One stretch in the works. Belongs to its lane's thread.
final class Stretch {
    let range: Range<Int64>
    /// What it holds was counted.
    var isLooked = false
    /// All its pieces are known.
    var isKnown = false
    /// Pieces that are known and not done.
    var openCount = 0
    /// It is to be copied again; what still ends of it counts for nothing.
    var isDropped = false
    /// What was written, for reading it back. Empty unless the copy is verified.
    var prints: [PiecePrint] = []
    private var done: Int64 = 0
    private var credited: Int64

    init(_ range: Range<Int64>) {
        self.range = range
        credited = 0
    }

    /// The same stretch from its beginning: `old` is given up.
    init(again old: Stretch) {
        range = old.range
        isLooked = old.isLooked
        credited = old.credited
        old.isDropped = true
    }

    /// All of it is on the target.
    var isDone: Bool { isKnown && openCount == 0 }

    /// One piece is done.
    ///
    /// - Returns: the bytes that had not been counted before.
    func add(_ bytes: Int64) -> Int64 {
        openCount -= 1
        done += bytes
        let fresh = max(0, done - credited)
        credited += fresh
        return fresh
    }
}
