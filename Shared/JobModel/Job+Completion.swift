extension Job {
    /// Merges the word that a disk is done.
    mutating func merge(_ completion: DiskCompletion) -> Effect {
        if status == .cancelled { return Effect(endedAnswer()) }
        if let told = completion.attempt, let refused = fence(attempt: told) { return refused }
        if disks.isEmpty { return finishWithoutDisks(completion) }
        guard let index = disks.firstIndex(where: { $0.index == completion.diskIndex }) else {
            let known = disks.map { "\($0.index)" }.joined(separator: ", ")
            return Effect(
                answer(.unknownDisk, "Job \(id) has no disk \(completion.diskIndex); its disks are \(known).")
            )
        }
        return isFinal ? fill(completion, at: index) : complete(completion, at: index)
    }

    /// A job that the hub made without disk rows has one disk, as far as anybody knows.
    private mutating func finishWithoutDisks(_ completion: DiskCompletion) -> Effect {
        guard completion.diskIndex == 0 else {
            return Effect(
                answer(
                    .unknownDisk,
                    "Job \(id) has no disk \(completion.diskIndex); it has no disk rows, so only 0 fits."
                )
            )
        }
        if isFinal { return Effect(status == .completed ? answer(.repeated) : endedAnswer()) }
        var changes = activate(evidence: completion.evidence)
        bytes = max(bytes, completion.bytes)
        changes.append(finish(.disksCompleted, evidence: completion.evidence))
        aggregate(toldPercent: nil)
        return Effect(answer(.applied), isContact: hasTelemetry, changes: changes)
    }

    /// After the end only what was still missing may come in: a change id, and, after a reported failure, the
    /// completion of a disk. Bytes and the job's status stay.
    private mutating func fill(_ completion: DiskCompletion, at index: Int) -> Effect {
        if let stored = disks[index].changeID, disks[index].status == .completed {
            return Effect(stored == completion.changeID ? answer(.repeated) : endedAnswer())
        }
        disks[index].changeID = completion.changeID
        disks[index].status = .completed
        disks[index].errorMessage = nil
        disks[index].updatePercent()
        return Effect(answer(.applied))
    }

    private mutating func complete(_ completion: DiskCompletion, at index: Int) -> Effect {
        let before = self
        var changes = activate(evidence: completion.evidence)
        disks[index].bytes = max(disks[index].bytes, completion.bytes)
        disks[index].changeID = completion.changeID
        if disks[index].status != .completed {
            changes += completeDisk(
                at: index,
                bytesAreTold: seq > 0 || completion.bytes > 0,
                evidence: completion.evidence
            )
        }
        if everyDiskIsCompleted {
            changes.append(finish(.disksCompleted, evidence: completion.evidence))
        }
        aggregate(toldPercent: nil)
        guard self != before else { return Effect(answer(.repeated)) }
        return Effect(answer(.applied), isContact: hasTelemetry, changes: changes)
    }
}

extension DiskCompletion {
    /// What an event says of the message that caused it.
    var evidence: String {
        "complete disk=\(diskIndex) bytes=\(bytes) change_id=\(changeID)"
    }
}
