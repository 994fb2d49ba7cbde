import Database
import DatabaseKit
import JobModel
import Logging
import Metrics
import Threading
import Wire

/// Stores the ingests' beats in a lane, behind the messages that came before them.
struct LaneBeats {
    private let session: Session
    private let settings: WriterSettings
    private let lane: Int32
    private let logger: Logger
    private let stored = Counter(label: "sendense_writer_beats_stored_total")
    /// Ingests of which this run of the lane has stored a beat: the first one begins anew.
    private var known: Set<String> = []

    init(_ session: Session, settings: WriterSettings, lane: Int32, logger: Logger) {
        self.session = session
        self.settings = settings
        self.lane = lane
        self.logger = logger
    }

    /// Stores the newest beat of each ingest; the others say nothing beside it.
    ///
    /// - Parameters:
    ///   - beats: in the order in which they came.
    ///   - isReady: the tables are there.
    /// - Returns: an answer for each beat that is to be answered now.
    mutating func store(
        _ beats: [BeatItem],
        isReady: Bool
    ) -> [AnswerGroup] {
        let isStored = isReady && store(beats)
        return beats.compactMap { beat in
            guard let isStoredBySome = beat.tally.note(isStored: isStored) else { return nil }
            let answer =
                isStoredBySome
                ? Answer(.applied) : Answer(.unavailable, detail: "The writer cannot use its database.")
            var group = AnswerGroup(sender: beat.sender)
            group.append(answer, to: beat.messageID)
            return group
        }
    }

    /// The lane ends in order.
    func signOff() {
        guard let connection = session.connection() else { return }
        do {
            try PathStore(connection).signOff(writer: settings.name, lane: lane)
        } catch {
            logger.warning("the lane could not sign off", metadata: ["error": "\(error)"])
        }
    }

    /// One beat of each ingest that says what all of its beats say. Pure.
    static func newest(
        _ beats: [BeatItem],
        known: Set<String>,
        nowMilliseconds: Int64
    ) -> [PathStore.NewBeat] {
        Dictionary(grouping: beats, by: \.ingest).map { ingest, beats in
            PathStore.NewBeat(
                ingest: ingest,
                ageMilliseconds: beats.map { max(0, nowMilliseconds - $0.receivedMilliseconds) }.min() ?? 0,
                isInterrupted: !known.contains(ingest) || beats.contains { $0.isInterrupted },
                signsOff: beats.contains { $0.signsOff }
            )
        }
    }

    private mutating func store(_ beats: [BeatItem]) -> Bool {
        // A statement that others were in the way of is worth another try; the next beat comes soon enough.
        for _ in 0..<2 {
            guard let connection = session.connection() else { return false }
            // Getting the connection may have taken long, and a beat must not claim that time.
            let newest = Self.newest(beats, known: known, nowMilliseconds: MonotonicClock.nowMilliseconds)
            do throws(DatabaseError) {
                if known.isEmpty {
                    try PathStore(connection).signOff(
                        writer: settings.name,
                        lanesFrom: Int32(settings.laneCount)
                    )
                }
                try PathStore(connection).store(
                    newest,
                    writer: settings.name,
                    lane: lane,
                    gapMilliseconds: settings.beatGapMilliseconds
                )
                known.formUnion(newest.map(\.ingest))
                stored.increment(by: newest.count)
                session.succeeded()
                return true
            } catch {
                switch error.kind {
                case .retry, .connectionLost:
                    logger.debug("a beat could not be stored", metadata: ["error": "\(error)"])
                case .refused, .duplicateKey, .missingParent, .missingColumn, .readOnly, .outOfSpace,
                    .accessDenied, .schemaMismatch, .serverTrouble:
                    session.failed(error)
                    return false
                }
            }
        }
        return false
    }
}
