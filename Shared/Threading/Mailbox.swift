internal import Synchronization

/// A bounded queue into a thread: any thread puts, one thread takes all there is.
public final class Mailbox<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var isClosed = false
        /// As many elements wake whoever waits.
        var wakingCount = 1
        /// There is one for which nobody waits for more.
        var isUrgent = false
    }
    private let state = Mutex(State())
    private let condition = Condition()
    /// The most elements it holds.
    public let countMax: Int

    /// Creates an empty mailbox.
    public init(countMax: Int) {
        self.countMax = countMax
    }

    /// Puts one element in.
    ///
    /// - Parameters:
    ///   - element: what to put in.
    ///   - limit: the most elements to put it behind; nil: as many as the mailbox holds. What matters less gets a
    ///     lower limit, what matters more a higher one.
    ///   - isUrgent: whoever waits for more takes it at once, with all that is there.
    /// - Returns: false if it is full or closed; the element is then not in.
    public func put(_ element: Element, limit: Int? = nil, isUrgent: Bool = false) -> Bool {
        put(CollectionOfOne(element), limit: limit, isUrgent: isUrgent) == 1
    }

    /// Puts elements in, in their order, at once.
    ///
    /// - Parameters:
    ///   - elements: what to put in.
    ///   - limit: as of one.
    ///   - isUrgent: as of one.
    /// - Returns: how many of the first are in; the others found it full or closed.
    public func put(_ elements: some Collection<Element>, limit: Int? = nil, isUrgent: Bool = false) -> Int {
        let (accepted, wakes) = state.withLock { state in
            let before = state.elements.count
            let room = state.isClosed ? 0 : max(0, (limit ?? countMax) - before)
            if elements.count <= room {
                state.elements += elements
            } else {
                state.elements += elements.prefix(room)
            }
            let after = state.elements.count
            guard after > before else { return (0, false) }
            let isFirstUrgent = isUrgent && !state.isUrgent
            state.isUrgent = state.isUrgent || isUrgent
            let isEnough = before < state.wakingCount && after >= state.wakingCount
            return (after - before, isEnough || isFirstUrgent)
        }
        // Whoever takes takes all, so only one element of a load has to wake it.
        if wakes { condition.broadcast() }
        return accepted
    }

    /// Takes all there is at once, waiting up to a time until it is enough.
    ///
    /// - Parameters:
    ///   - waitingMilliseconds: how long to wait at most.
    ///   - count: how many elements are enough, at least 1.
    /// - Returns: the elements in the order they were put; empty when the time is up and there are none; nil once it
    ///   is closed and empty.
    public func takeAll(waitingMilliseconds: Int, for count: Int = 1) -> [Element]? {
        if waitingMilliseconds > 0 {
            state.withLock { $0.wakingCount = count }
            _ = condition.wait(milliseconds: waitingMilliseconds) {
                state.withLock { $0.elements.count >= count || $0.isUrgent || $0.isClosed }
            }
        }
        return state.withLock { state in
            state.isUrgent = false
            if state.elements.isEmpty { return state.isClosed ? nil : [] }
            var taken: [Element] = []
            swap(&taken, &state.elements)
            return taken
        }
    }

    /// How many elements wait.
    public var count: Int { state.withLock { $0.elements.count } }

    /// Refuses further elements; what is in can still be taken.
    public func close() {
        state.withLock { $0.isClosed = true }
        condition.broadcast()
    }
}
