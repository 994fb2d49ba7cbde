import JobModel

/// Which writer gets a job's messages: the same one as long as it stores what it is told, so that they keep their
/// order.
enum WriterChoice {
    /// The writer for a job's messages, by its place. nil: it is known that none can store anything now.
    static func index(for job: JobID, among links: [LinkStatus], nowMilliseconds: Int64) -> Int? {
        let storing = links.indices.filter { links[$0].isStoring(nowMilliseconds: nowMilliseconds) }
        if let index = chosen(storing, links, job) { return index }
        // A writer that never stored a beat may be one that knows none, or is just about to start.
        let unknown = links.indices.filter { !links[$0].hasStored }
        return chosen(unknown.filter { links[$0].isHeard }, links, job) ?? chosen(unknown, links, job)
    }

    /// Rendezvous hashing: when one writer goes, only its own jobs move.
    private static func chosen(_ indices: [Int], _ links: [LinkStatus], _ job: JobID) -> Int? {
        guard indices.count > 1 else { return indices.first }
        return indices.max { weight(links[$0].endpoint, job) < weight(links[$1].endpoint, job) }
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
