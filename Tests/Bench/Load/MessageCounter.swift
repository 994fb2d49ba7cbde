/// Numbers the messages of all runs against one database.
final class MessageCounter {
    private(set) var next = 0

    func take() -> Int {
        defer { next += 1 }
        return next
    }

    /// Takes so many numbers at once, and returns the first.
    func take(_ count: Int) -> Int {
        defer { next += count }
        return next
    }

    /// Leaves out all numbers before this one.
    func pass(_ number: Int) { next = max(next, number) }
}
