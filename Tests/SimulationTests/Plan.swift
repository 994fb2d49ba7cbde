import JobModel

/// What a seed is made of: how many of each part, and how rough the world is. Times are those of the field, about
/// five times as fast; they stand to one another as there.
struct Plan {
    static let stalledAfterSeconds: Int64 = 12
    static let failedAfterSeconds: Int64 = 30
    static let gapMilliseconds = PathRule.gapMilliseconds(stalledAfterSeconds: stalledAfterSeconds)
    static let ackTimeoutMilliseconds: Int64 = 600
    static let beatMilliseconds: Int64 = 1000
    static let scanMilliseconds: Int64 = 700
    static let clientTimeoutMilliseconds: Int64 = 1500
    static let backoffMillisecondsMax: Int64 = 800
    static let networkDelayMillisecondsMax: Int64 = 40
    static let laneMessageCountMax = 12
    static let jobCountMax = 3
    /// The first ingest and writer start within this time, the others within the next.
    static let firstStartMillisecondsMax: Int64 = 2000
    static let startMillisecondsMax: Int64 = 15_000

    var ingestCount: Int
    var writerCount: Int
    var laneCount: Int
    var detectorCount: Int
    var clientCount: Int
    /// The most messages without a verdict in one ingest.
    var windowCountMax: Int
    /// A balancer before the ingests sends a client to another one while its own is away.
    var isBalanced: Bool
    /// How many faults there are.
    var faultCount: Int
    /// The faults are over at this time.
    var quietMilliseconds: Int64
    /// Of a thousand frames so many are lost, and so many come twice.
    var dropPermille: Int64
    var duplicatePermille: Int64
    /// Of a thousand transactions so many meet a deadlock, and so many lose their connection at COMMIT.
    var deadlockPermille: Int64
    var lostCommitPermille: Int64

    init(_ scheduler: Scheduler) {
        ingestCount = scheduler.chance(300) ? 2 : 1
        writerCount = scheduler.chance(300) ? 2 : 1
        laneCount = scheduler.chance(500) ? 2 : 1
        detectorCount = scheduler.chance(150) ? 2 : 1
        clientCount = Int(scheduler.pick(1...4))
        windowCountMax = scheduler.chance(200) ? 3 : 24
        isBalanced = scheduler.chance(700)
        // A part of the seeds shows what the system does where nothing goes wrong.
        faultCount = scheduler.chance(60) ? 0 : Int(scheduler.pick(1...5))
        quietMilliseconds = faultCount == 0 ? 18_000 : scheduler.pick(15...40) * 1000
        let isRough = faultCount > 0 && scheduler.chance(500)
        dropPermille = isRough ? scheduler.pick(0...60) : 0
        duplicatePermille = isRough ? scheduler.pick(0...60) : 0
        deadlockPermille = isRough ? scheduler.pick(0...60) : 0
        lostCommitPermille = isRough ? scheduler.pick(0...60) : 0
    }

    /// Since then nothing goes wrong, and all that is to start has started.
    var wholeMilliseconds: Int64 {
        guard faultCount == 0 else { return quietMilliseconds }
        return ingestCount + writerCount > 2 ? Self.startMillisecondsMax : Self.firstStartMillisecondsMax
    }

    /// How late a mark may be: what is left of an interruption after the last fault, and then what any mark takes.
    ///
    /// A message that is out when the faults end is refused once the timeout is over, and a refused job makes an
    /// interruption for one gap more; then one beat has to say so, another one has to come, and a look has to see it.
    static let lateMillisecondsMax =
        gapMilliseconds + ackTimeoutMilliseconds + 2 * beatMilliseconds + scanMilliseconds + 500
    /// The same where nothing went wrong.
    static let undisturbedLateMillisecondsMax = beatMilliseconds + scanMilliseconds + 500
}
