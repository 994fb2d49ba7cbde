extension Report {
    /// Whether this report may stand for an earlier one as well: merging this one alone leaves the same job as merging
    /// the earlier one and then this one, whatever the job is.
    ///
    /// Both have to be progress of a client without `seq`, and this one has to say all that the other one says, only
    /// more of it. So what waits for a database takes room by job and transition, not by message.
    public func replaces(_ earlier: Report) -> Bool {
        guard jobID == earlier.jobID, isPlainProgress, earlier.isPlainProgress else { return false }
        switch (earlier.timestampMilliseconds, timestampMilliseconds) {
        case (nil, nil): break
        // Of one second the rules choose by what is stored; that is for them to do.
        case (let before?, let now?) where before < now: break
        default: return false
        }
        // A new total without bytes keeps the bytes that are stored; one with bytes counts anew.
        let isNewTotalAlone = earlier.bytes == 0 && earlier.total ?? 0 > 0 && bytes > 0
        return !isNewTotalAlone && tells(bytes: bytes, total: total, beyond: earlier.bytes, earlier.total)
            && (speed ?? 0 > 0 || earlier.speed ?? 0 == 0)
            && (etaSeconds ?? 0 > 0 || earlier.etaSeconds ?? 0 == 0)
            && (percentHundredths != nil || earlier.percentHundredths == nil)
            && (!phase.isEmpty || earlier.phase.isEmpty)
            && coversDisks(of: earlier)
    }

    private var isPlainProgress: Bool {
        seq == nil && attempt == nil && error == nil && (status == .running || status == .pending)
    }

    private func coversDisks(of earlier: Report) -> Bool {
        guard disks.isEmpty == earlier.disks.isEmpty else { return false }
        return earlier.disks.allSatisfy { old in
            guard let new = disks.first(where: { $0.index == old.index }) else { return false }
            if new == old { return true }
            // A change of a disk's status is a transition, but for its beginning.
            let isSame = new.status == old.status && old.status != .completed && old.status != .failed
            let isBeginning = old.status == .pending && new.status == .transferring
            return (isSame || isBeginning)
                && tells(bytes: new.bytes, total: new.total, beyond: old.bytes, old.total)
        }
    }

    private func tells(bytes: Int64, total: Int64?, beyond oldBytes: Int64, _ oldTotal: Int64?) -> Bool {
        bytes >= oldBytes && ((oldTotal ?? 0) == 0 || total == oldTotal)
    }
}
