/// Counts the answers to one message.
///
/// Unchecked: see `Scheduler`.
final class Receipt: @unchecked Sendable {
    private unowned let world: World
    let ingest: String
    let at: Int64
    private(set) var count = 0
    var isExcused = false

    init(_ world: World, in ingest: String, at: Int64) {
        self.world = world
        self.ingest = ingest
        self.at = at
    }

    func use() {
        count += 1
        world.expect(count == 1, "what came at \(at) ms was answered twice")
    }
}
