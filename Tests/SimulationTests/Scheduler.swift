import TestSupport

/// Virtual time: what is to happen happens in order of time, and in the order in which it was asked for.
///
/// Unchecked: one thread runs a seed from its beginning to its end, and nothing of it is shared with another.
final class Scheduler: @unchecked Sendable {
    private struct Event {
        var at: Int64
        var order: Int
        var body: () -> Void
    }

    private var heap: [Event] = []
    private var order = 0
    private var generator: SplitMix64
    private(set) var now: Int64 = 0
    private(set) var eventCount = 0
    let isTracing: Bool

    init(seed: UInt64, isTracing: Bool) {
        generator = SplitMix64(seed: seed)
        self.isTracing = isTracing
    }

    /// Asks for something in so many milliseconds.
    func after(_ milliseconds: Int64, _ body: @escaping () -> Void) {
        heap.append(Event(at: now + milliseconds, order: order, body: body))
        order += 1
        var child = heap.count - 1
        while child > 0, isBefore(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Runs what is due until then, or until told to stop.
    func run(until end: Int64, while goesOn: () -> Bool) {
        while let first = heap.first, first.at <= end, goesOn() {
            let last = heap.removeLast()
            if !heap.isEmpty {
                heap[0] = last
                sink()
            }
            now = first.at
            eventCount += 1
            first.body()
        }
        now = max(now, end)
    }

    private func sink() {
        var parent = 0
        while 2 * parent + 1 < heap.count {
            var child = 2 * parent + 1
            if child + 1 < heap.count, isBefore(child + 1, child) { child += 1 }
            guard isBefore(child, parent) else { return }
            heap.swapAt(child, parent)
            parent = child
        }
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        heap[left].at != heap[right].at
            ? heap[left].at < heap[right].at : heap[left].order < heap[right].order
    }

    /// A number out of a range, by the seed.
    func pick(_ range: ClosedRange<Int64>) -> Int64 {
        // One draw, and cheap: the bias is nothing to a test.
        let width = UInt64(range.upperBound - range.lowerBound) + 1
        return range.lowerBound + Int64(generator.next() % width)
    }

    /// True in so many of a thousand cases.
    func chance(_ permille: Int64) -> Bool { Int64(generator.next() % 1000) < permille }

    /// A line of the trace.
    func trace(_ text: @autoclosure () -> String) {
        guard isTracing else { return }
        let digits = String(now)
        print(String(repeating: " ", count: max(0, 7 - digits.count)) + digits + " ms  " + text())
    }
}
