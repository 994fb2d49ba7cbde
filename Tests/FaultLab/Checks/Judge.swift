import Database
import JobModel
import StackSupport
import TestSupport

/// Compares what clients were told with what is stored.
struct Judge {
    let connection: Connection
    let way: Settling

    /// Judges a job's row and its events.
    func judge(_ ledger: Ledger, _ exact: Expectation, into findings: inout Findings) throws {
        let stored = try StoredJob(connection, job: ledger.job)
        let mayMiss = way.mayMissKept || ledger.hasLeftKept
        if let contradiction = exact.contradiction, !mayMiss {
            return findings.wrong.append("\(ledger.job): \(contradiction)")
        }
        if exact.contradiction == nil, isOneOf(exact.possible, stored, ledger, mayMiss, &findings) { return }
        if mayMiss, try isRemnant(ledger, stored) { return countMiss(ledger, &findings) }
        let line = "\(ledger.job): \(difference(exact.possible, stored)); \(Self.last(ledger))"
        if isLoss(ledger, stored) { findings.lost.append(line) } else { findings.wrong.append(line) }
    }

    private func countMiss(_ ledger: Ledger, _ findings: inout Findings) {
        if way.mayMissKept { findings.damagedCount += 1 } else { findings.reorderedCount += 1 }
    }

    private func isOneOf(
        _ possible: [Expectation.Possible],
        _ stored: StoredJob,
        _ ledger: Ledger,
        _ mayMiss: Bool,
        _ findings: inout Findings
    ) -> Bool {
        let fitting = possible.filter { one in
            guard let expected = one.job else { return stored.row == nil }
            return stored.row != nil && stored.difference(from: expected) == nil
        }
        guard !fitting.isEmpty else { return false }
        let events = stored.events.filter { !$0.isMark && !$0.isReturn }.map(\.text)
        guard !fitting.contains(where: { $0.events == events }) else { return true }
        if mayMiss {
            // The rows do not show it, but a message that is missing would have told the same by another event.
            countMiss(ledger, &findings)
        } else {
            findings.wrong.append(
                "\(ledger.job): its events are \(events), by the rules \(fitting[0].events)"
            )
        }
        return true
    }

    private func difference(_ possible: [Expectation.Possible], _ stored: StoredJob) -> String {
        let texts = possible.map { one in
            one.job.map { stored.difference(from: $0) ?? "" } ?? "there should be no row"
        }
        let shortest = texts.min { $0.count < $1.count } ?? "nothing is possible"
        return texts.count > 1 ? "\(shortest) (the nearest of \(texts.count) possibilities)" : shortest
    }

    /// Whether the row is made of what its client told, and of all of it that was answered 200 or 201: what
    /// was answered 202 may be gone.
    private func isRemnant(_ ledger: Ledger, _ stored: StoredJob) throws -> Bool {
        guard let row = stored.row else { return false }
        var told: Set<Int64> = [0]
        var changeIDs: Set<String> = []
        for entry in ledger.entries {
            switch try Expectation.message(entry.request) {
            case .report(let report): told.formUnion([report.bytes] + report.disks.map(\.bytes))
            case .completion(let completion): changeIDs.insert(completion.changeID)
            case .registration(let registration): told.formUnion(registration.disks.compactMap(\.total))
            case .cancel: break
            }
        }
        let isTold = row.disks.allSatisfy { disk in
            told.contains(disk.bytes) && (disk.changeID.map { changeIDs.contains($0) } ?? true)
        }
        return isTold && !isLoss(ledger, stored, [.taken])
    }

    /// Whether something acknowledged has left no trace; else the row is wrong in another way.
    private func isLoss(
        _ ledger: Ledger,
        _ stored: StoredJob,
        _ fates: [Ledger.Fate] = [.taken, .kept]
    ) -> Bool {
        let acknowledged = ledger.entries.filter { fates.contains($0.fate) }
        guard let row = stored.row else { return !acknowledged.isEmpty }
        let messages = acknowledged.compactMap { try? Expectation.message($0.request) }
        let mayShift = !fates.contains(.kept) && lacksKeptDiskEnd(row, ledger)
        for message in messages {
            switch message {
            case .report(let report):
                if let seq = report.seq, row.seq < seq { return true }
                let told = report.disks.isEmpty ? report.bytes : report.disks.reduce(0) { $0 + $1.bytes }
                if row.bytes < told, !(mayShift && report.seq == nil && report.disks.isEmpty) { return true }
                if report.status == .failed, row.status != "failed" { return true }
            case .completion(let completion):
                let index = Int(completion.diskIndex)
                guard row.disks.indices.contains(index) else { return true }
                if row.disks[index].changeID != completion.changeID { return true }
                if row.disks[index].status != "completed" { return true }
            case .registration, .cancel:
                break
            }
        }
        return false
    }

    /// A disk's end that is gone leaves its disk the current one, so that an old client's later numbers take the place of
    /// those that it has told of that disk.
    private func lacksKeptDiskEnd(_ row: JobRow, _ ledger: Ledger) -> Bool {
        ledger.entries.contains { entry in
            guard entry.fate == .kept else { return false }
            switch try? Expectation.message(entry.request) {
            case .completion(let completion):
                let index = Int(completion.diskIndex)
                return row.disks.indices.contains(index) && row.disks[index].changeID != completion.changeID
            case .report(let report):
                return report.status == .completed && row.disks.contains { $0.status != "completed" }
            case .registration, .cancel, nil: return false
            }
        }
    }

    private static func last(_ ledger: Ledger) -> String {
        let texts = ledger.entries.suffix(4).map { "\($0.fate): \($0.request.body.prefix(170))" }
        return "its last messages: \(texts.joined(separator: " | "))"
    }
}
