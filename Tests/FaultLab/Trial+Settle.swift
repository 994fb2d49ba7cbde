import Database
import StackSupport
import TestSupport

extension Trial {
    /// Lets a load come to its end, waits until all that was acknowledged is stored, and compares.
    func settle(_ site: Site, _ load: Load, _ way: Settling = Settling()) throws {
        try settle(site, [load.steady, load.churn], way)
    }

    /// Lets the fleets come to their end, waits until all that was acknowledged is stored, and compares.
    func settle(_ site: Site, _ fleets: [Fleet], _ way: Settling = Settling()) throws {
        var closed = true
        for fleet in fleets {
            do { try fleet.close(seconds: way.closingSeconds) } catch {
                closed = false
                wrong("\(error)")
            }
        }
        let ledgers = fleets.flatMap(\.ledgers)
        acknowledged(ledgers.reduce(0) { $0 + $1.acknowledgedCount })
        var way = way
        // Clients that were given up in the middle of a request say little.
        if !closed { way.drainSeconds = 1 }
        try settle(site, ledgers: ledgers, way)
    }

    /// Waits until all that was acknowledged is stored, and compares.
    func settle(_ site: Site, ledgers: [Ledger], _ way: Settling) throws {
        let connection = try site.connection()
        awaitEmptyOutboxes(site, way)
        try compare(ledgers, connection, way)
        try awaitMarks(ledgers, site, connection)
        if way.hasTrueClock {
            try judgeMarks(ledgers, site, connection)
        } else {
            try expectMarksOfDeadOnly(ledgers, connection)
        }
        var rules = Findings()
        rules.wrong = try TableRules.breaches(connection)
        add(rules)
    }

    /// Where the database's clock is not the lab's, the events do not say how long a silence was.
    private func expectMarksOfDeadOnly(_ ledgers: [Ledger], _ connection: Connection) throws {
        var findings = Findings()
        for ledger in ledgers {
            let marks = try StoredJob(connection, job: ledger.job).marks.map(\.text)
            if ledger.died == nil {
                findings.falseMarks += marks.map { "\(ledger.job): \($0), its client lives" }
            } else if marks != ["stalled (silent: stalled)", "failed (silent: failed)"],
                MarkJudge.isWatchedForCertain(ledger)
            {
                findings.wrong.append("\(ledger.job): its client died, its marks are \(marks)")
            }
        }
        add(findings)
    }

    /// Compares rows and ledgers, until all fit or the time is up.
    func compare(_ ledgers: [Ledger], _ connection: Connection, _ way: Settling) throws {
        let judge = Judge(connection: connection, way: way)
        var open = try ledgers.map { ledger in
            (ledger: ledger, expected: try Expectation(ledger, mayBeRejected: way.mayBeRejected))
        }
        var findings = Findings()
        var damaged = 0
        var reordered = 0
        _ = try eventually(seconds: 10, everyMilliseconds: 300) {
            findings = Findings()
            var still: [(ledger: Ledger, expected: Expectation)] = []
            for one in open {
                var own = Findings()
                try judge.judge(one.ledger, one.expected, into: &own)
                damaged += own.isClean ? own.damagedCount : 0
                reordered += own.isClean ? own.reorderedCount : 0
                // A job whose kept messages are still on their way looks damaged, too.
                if !own.isClean { still.append(one) }
                findings.lost += own.lost
                findings.wrong += own.wrong
            }
            open = still
            return open.isEmpty
        }
        findings.suspects = open.map(\.ledger)
        if damaged > 0 { findings.notes.append("\(damaged) jobs lost kept messages with the damaged file") }
        if reordered > 0 {
            findings.notes.append(
                "\(reordered) old clients went on to another ingest while theirs kept messages, which then came late"
            )
        }
        add(findings)
    }

    /// Waits until nothing is kept any more.
    private func awaitEmptyOutboxes(_ site: Site, _ way: Settling) {
        // The gauge follows within half a second.
        pause(milliseconds: 700)
        for ingest in site.ingests {
            var waiting = 0.0
            _ = eventually(seconds: way.drainSeconds, everyMilliseconds: 200) {
                waiting = ingest.metric("sendense_ingest_outbox_entries") ?? 0
                return waiting == 0
            }
            expect(waiting == 0, "\(Int(waiting)) messages still wait in the outbox of \(ingest.name)")
        }
    }

    /// Waits until every client that died has been called out.
    private func awaitMarks(_ ledgers: [Ledger], _ site: Site, _ connection: Connection) throws {
        let dead = ledgers.filter { $0.died != nil && MarkJudge.isWatchedForCertain($0) }
        guard !dead.isEmpty else { return }
        // Messages that wait in an outbox are an interruption, too; they are stored by now.
        let due = LabClock.now + Int64(site.plan.failedAfterSeconds) * 1000 + 5000
        var missing: [String] = []
        _ = try eventually(
            seconds: max(1, Double(due - LabClock.now) / 1000),
            everyMilliseconds: 200
        ) {
            missing = []
            for ledger in dead {
                let stored = try StoredJob(connection, job: ledger.job)
                let isOver =
                    stored.row.map { ["completed", "cancelled", "failed"].contains($0.status) } ?? true
                if !isOver {
                    missing.append("\(ledger.job): its client is dead, it is \(stored.row?.status ?? "")")
                }
            }
            return missing.isEmpty
        }
        for line in missing { wrong(line) }
        note("\(dead.count) clients died, \(dead.count - missing.count) of them were called out")
    }

    private func judgeMarks(_ ledgers: [Ledger], _ site: Site, _ connection: Connection) throws {
        let judge = MarkJudge(
            stalledAfterSeconds: site.plan.stalledAfterSeconds,
            failedAfterSeconds: site.plan.failedAfterSeconds,
            outages: outages
        )
        let marked = Set(
            try connection.query("SELECT job_id FROM job_events WHERE cause LIKE 'silent:%'").map {
                try $0.text(0)
            }
        )
        var findings = Findings()
        var starved = 0
        for ledger in ledgers where marked.contains(ledger.job) {
            for mark in try StoredJob(connection, job: ledger.job).marks {
                if let fault = judge.fault(mark, ledger) {
                    findings.falseMarks.append("\(ledger.job): \(fault)")
                } else if judge.isStarved(mark, ledger) {
                    starved += 1
                }
            }
        }
        if starved > 0 {
            findings.notes.append(
                "\(starved) marks on clients of the lab that this machine left without a turn"
            )
        }
        add(findings)
    }
}
