/// How long a lane with little to do waits for company before it stores what it has: a small transaction costs as much as
/// twenty messages in a large one.
///
/// It waits for what is likely to come. A message after a pause is stored at once, and so is all that is waiting as soon
/// as there is one among it that is more than progress. Pure: times come in.
struct Patience {
    /// With so much a lane has company: its share of the messages for which an ingest does not rest on. Two lanes' worth
    /// is less than the connections of a small crowd of clients that each wait for their answer, who would else wait for
    /// one another.
    static let companyCount = 16
    /// Milliseconds since the door had the newest message: when nobody came for so long, perhaps all wait for us.
    private static let gapMilliseconds: Int64 = 40

    /// Milliseconds that a message waits at most, since the door had it.
    private let lingerMilliseconds: Int64
    /// When the lane had something to store last.
    private var lastMilliseconds: Int64?
    private var expectsCompany = false

    init(lingerMilliseconds: Int64) {
        self.lingerMilliseconds = lingerMilliseconds
    }

    /// The first work after all before it was stored has come.
    mutating func workCame(nowMilliseconds now: Int64) {
        expectsCompany = lastMilliseconds.map { now - $0 < lingerMilliseconds } ?? false
    }

    /// Milliseconds for which the lane still waits for company of what it has. nil: not any longer.
    func rest(_ work: [LaneWork], nowMilliseconds now: Int64) -> Int? {
        guard expectsCompany, work.count < Self.companyCount, !work.contains(where: \.isUrgent) else {
            return nil
        }
        let times = work.map(\.receivedMilliseconds)
        guard let oldest = times.min(), let newest = times.max() else { return nil }
        let rest = min(oldest + lingerMilliseconds, newest + Self.gapMilliseconds) - now
        return rest > 0 ? Int(rest) : nil
    }

    /// Work goes on to be stored.
    mutating func workGoes(nowMilliseconds now: Int64) { lastMilliseconds = now }
}
