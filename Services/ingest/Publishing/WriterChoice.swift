import JobModel

/// Which writer gets a job's messages: the same one as long as it stores what it is told, so that they keep their
/// order.
enum WriterChoice {
    /// The writer for a job's messages, by its place. nil: it is known that none can store anything now.
    static func index(for job: JobID, among links: [LinkStatus], nowMilliseconds: Int64) -> Int? {
        // A writer that never stored a beat may be one that knows none, or is just about to start.
        chosen(among: links, job) { $0.isStoring(nowMilliseconds: nowMilliseconds) }
            ?? chosen(among: links, job) { !$0.hasStored && $0.isHeard }
            ?? chosen(among: links, job) { !$0.hasStored }
    }

    /// Rendezvous hashing: when one writer goes, only its own jobs move.
    private static func chosen(
        among links: [LinkStatus],
        _ job: JobID,
        _ isFit: (LinkStatus) -> Bool
    ) -> Int? {
        var best: Int?
        for index in links.indices where isFit(links[index]) {
            guard let rival = best else {
                best = index
                continue
            }
            if weight(links[rival].endpoint, job) <= weight(links[index].endpoint, job) { best = index }
        }
        return best
    }

    private static func weight(_ endpoint: String, _ job: JobID) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in endpoint.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for byte in job.rawValue.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        // FNV's upper bits differ little between short texts.
        hash ^= hash >> 33
        return hash &* 0xFF51_AFD7_ED55_8CCD
    }
}
