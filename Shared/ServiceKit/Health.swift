internal import Synchronization

/// Whether a service can do its work, and what is in its way.
public final class Health: Sendable {
    private let obstacles = Mutex<[String: String]>([:])
    private let remarkable = Mutex<[String: String]>([:])

    /// Creates one with the parts that have to report before the service is ready.
    public init(waitingFor parts: [String]) {
        obstacles.withLock { for part in parts { $0[part] = "starting" } }
    }

    /// The part can work.
    ///
    /// - Returns: whether it could not before.
    @discardableResult
    public func ready(_ part: String) -> Bool {
        obstacles.withLock { $0.removeValue(forKey: part) != nil }
    }

    /// The part cannot work now.
    ///
    /// - Returns: whether it could before.
    @discardableResult
    public func obstructed(_ part: String, by reason: String) -> Bool {
        obstacles.withLock { $0.updateValue(reason, forKey: part) == nil }
    }

    /// The part can work, but something is worth knowing. nil: no more.
    ///
    /// - Returns: whether there was nothing before.
    @discardableResult
    public func remark(_ part: String, _ text: String?) -> Bool {
        remarkable.withLock { remarkable in
            let isNews = remarkable[part] == nil
            remarkable[part] = text
            return isNews
        }
    }

    /// What is worth knowing though it is in nobody's way, by part.
    public var remarks: [String] {
        remarkable.withLock { $0.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" } }
    }

    /// Whether every part can work.
    public var isReady: Bool { obstacles.withLock { $0.isEmpty } }

    /// What is in the way, by part: `database: connection refused`. Empty when ready.
    public var reasons: [String] {
        obstacles.withLock { $0.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" } }
    }
}
