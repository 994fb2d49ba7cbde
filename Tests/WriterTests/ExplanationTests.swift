import Database
import JobModel
import Testing

@testable import Writer

/// Explanations, by values alone.
@Suite struct ExplanationTests {
    private static let now: Int64 = 1_764_079_260_000
    private let rule: StaleRule

    init() throws {
        rule = try #require(StaleRule(stalledAfterSeconds: 60, failedAfterSeconds: 300))
    }

    private func event(_ to: String, _ cause: String, _ evidence: String = "", ago: Int64) -> JobRecord.Event
    {
        let at = Self.now - ago * 1000
        return JobRecord.Event(
            atMilliseconds: at,
            attempt: 1,
            from: nil,
            to: to,
            cause: cause,
            evidence: evidence
        )
    }

    /// A record of a job with two disks, whose newest event says what its row says.
    private func record(
        _ status: JobStatus,
        silentSeconds: Int64?,
        isPresumed: Bool = false,
        events: [JobRecord.Event] = []
    ) throws -> JobRecord {
        let id = try #require(JobID("backup-vm-1"))
        let job = Job(
            id: id,
            vmName: "vm",
            backupType: .full,
            status: status,
            isPresumed: isPresumed,
            hasTelemetry: silentSeconds != nil,
            disks: [Disk(index: 0, status: .completed, changeID: "c"), Disk(index: 1)]
        )
        let newest = events.last.map {
            AuditedJob.Change(to: $0.to, cause: $0.cause, attempt: 1, atMilliseconds: $0.atMilliseconds)
        }
        return JobRecord(
            id: id,
            nowMilliseconds: Self.now,
            job: AuditedJob(job, isOurs: true, hasEnd: false, newestChange: newest),
            heardMilliseconds: silentSeconds.map { Self.now - $0 * 1000 },
            events: events
        )
    }

    @Test(arguments: [
        (
            "registration vm=web 1 type=full type=full disks=0:1073741824,1:unknown telemetry=true",
            "full backup of VM web 1 type=full, disk 0 of 1.0 GiB, disk 1 of unknown size, reports announced"
        ),
        (
            "telemetry status=running phase=transferring attempt=2 seq=17",
            "a report with status running in phase \"transferring\", number 17 of attempt 2"
        ),
        (
            "older message; telemetry status=running phase=x phase=y timestamp_ms=1764079260000",
            "an older report with status running phase=x in phase \"y\", dated 2025-11-25T14:01:00.000Z by its "
                + "client's clock"
        ),
        (
            "telemetry status=failed phase= no timestamp",
            "a report with status failed in phase \"\", without number or date"
        ),
        (
            "complete disk=1 bytes=0 change_id=52 66 8c/5440",
            "disk 1 was told to be complete, change id 52 66 8c/5440, no bytes told"
        ),
        (
            "complete disk=0 bytes=512 change_id=c",
            "disk 0 was told to be complete, change id c, 512 bytes told"
        ),
        (
            "disk=0 bytes=512 presumed from its size; complete disk=0 bytes=0 change_id=c",
            "disk 0 counts with its size, 512 bytes; disk 0 was told to be complete, change id c, no bytes told"
        ),
        ("cancel request: low on space", "the reason given: low on space"),
        ("cancel request", "no reason was given"),
        (
            "silent for 61234 ms; last seq=5; thresholds 60 s and 300 s",
            "1 min 1 s without a sign of life (thresholds 60 s and 300 s); its last message was number 5"
        ),
        (
            "silent for 999 ms; last seq=0; thresholds 60 s and 300 s",
            "999 ms without a sign of life (thresholds 60 s and 300 s); its messages have no numbers"
        ),
        // What a later version may write is told as it stands.
        ("silent for ever", "\"silent for ever\""), ("telemetry", "\"telemetry\""),
    ])
    func `evidence is put in words, and what is not understood is quoted`(evidence: String, words: String) {
        #expect(EvidenceWords.text(evidence) == words)
    }

    @Test(
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (109_521_666_048, "102.0 GiB"),
            (Int64.max, "8192.0 PiB"),
        ] as [(Int64, String)]
    )
    func `sizes are told as the hub's pages tell them`(bytes: Int64, words: String) {
        #expect(SizeWords.text(bytes) == words)
    }

    @Test func `a time line has what happened, why, and how long after`() throws {
        let record = try record(
            .stalled,
            silentSeconds: 70,
            events: [
                event("running", "registered", ago: 600),
                event(
                    "stalled",
                    "silent: stalled",
                    "silent for 60100 ms; last seq=5; thresholds 60 s and 300 s",
                    ago: 10
                ),
            ]
        )
        let explanation = Explanation(record, rule)
        #expect(
            explanation.headline
                == "backup-vm-1 (full backup of VM vm, attempt 1) is stalled: its client fell silent."
        )
        #expect(explanation.moments.map(\.sinceMilliseconds) == [nil, 590_000])
        #expect(explanation.moments.map(\.status) == ["running", "stalled"])
        #expect(
            explanation.moments[1].sentence == "its client fell silent: 1 min 0 s without a sign of life "
                + "(thresholds 60 s and 300 s); its last message was number 5"
        )
        let lines = Explain.textLines(explanation, record)
        #expect(lines.contains { $0.hasPrefix("  2025-11-25T14:00:50.000Z  +9 min 50 s    stalled    its ") })
        #expect(lines.contains("  last sign of life 2025-11-25T13:59:50.000Z, 1 min 10 s ago"))
    }

    @Test func `a cause of a later version is quoted`() throws {
        let record = try record(
            .running,
            silentSeconds: 1,
            events: [event("running", "moon", "full", ago: 9)]
        )
        #expect(Explanation(record, rule).moments[0].sentence == "the cause is \"moon\": \"full\"")
    }

    private static let next: [(JobStatus, Int64?, Bool, String, Bool)] = [
        (
            .running, 10, false, "It will be stalled at 2025-11-25T14:01:50.000Z, in 50.0 s, at the earliest",
            true
        ),
        (.running, 10, false, "presumed failed at 2025-11-25T14:05:50.000Z, in 4 min 50 s", true),
        (.running, 70, false, "It has been due to be stalled for 10.0 s", true),
        (.stalled, 70, false, "It will be presumed failed at 2025-11-25T14:04:50.000Z, in 3 min 50 s", true),
        (.stalled, 70, false, "Its client's next report makes it running again.", true),
        (.stalled, 301, false, "It has been due to be presumed failed for 1.0 s", true),
        (.running, nil, false, "its silence cannot be judged: it stays running", true),
        (.running, 1, false, "It completes once all of its disks have; 1 of 2 is open.", true),
        (.pending, nil, false, "It begins with its client's first report", true),
        (.failed, 301, true, "next newer report, or a /complete, takes it back", true),
        (.failed, 301, false, "Its client reported it, so attempt 1 is final.", true),
        (.cancelled, 301, false, "A registration begins attempt 2 from zero.", true),
        (.completed, 301, false, "It is final: no message moves it any more.", false),
        (.completed, 301, false, "the change id that is missing of disk 1.", false),
    ]

    @Test(arguments: next)
    func `what comes next follows from the state and the silence`(
        status: JobStatus,
        silence: Int64?,
        isPresumed: Bool,
        words: String,
        mayChange: Bool
    ) throws {
        let explanation = Explanation(
            try record(status, silentSeconds: silence, isPresumed: isPresumed),
            rule
        )
        #expect(explanation.outlook.joined(separator: " ").contains(words), "\(explanation.outlook)")
        #expect(explanation.mayChange == mayChange)
    }

    @Test func `what the row and the events do not agree on is told`() throws {
        let changed = try record(
            .running,
            silentSeconds: 1,
            events: [event("failed", "reported failed", ago: 5)]
        )
        #expect(Explanation(changed, rule).headline.hasSuffix("another program has changed the row."))
        #expect(Explanation(changed, rule).standing.contains { $0.hasPrefix("breach of the rule events: ") })
        let bare = try record(.running, silentSeconds: 1)
        #expect(
            Explanation(bare, rule).headline.hasSuffix(
                "Nothing is on record of why: its events were removed."
            )
        )
    }

    @Test func `text from clients cannot reach the terminal as control characters`() throws {
        let evil = event("running", "registered", "a\u{1B}[2Jb\nc", ago: 5)
        let record = try record(.running, silentSeconds: 1, events: [evil])
        let lines = Explain.textLines(Explanation(record, rule), record)
        #expect(lines.contains { $0.hasSuffix("it was registered and began: \"a [2Jb c\"") })
        #expect(!lines.contains { $0.contains("\n") || $0.contains("\u{1B}") })
    }
}
