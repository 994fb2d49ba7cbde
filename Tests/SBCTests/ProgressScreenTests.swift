import Testing

@testable import SBC

struct ProgressScreenTests {
    private func row(_ name: String, percent: Double = 45.27, isActive: Bool = true) -> ProgressScreen.Row {
        ProgressScreen.Row(
            name: name,
            percent: percent,
            dealt: 12 << 30,
            total: 27 << 30,
            speed: 125_829_120,
            etaSeconds: 123,
            state: "transferring",
            isActive: isActive
        )
    }

    @Test func `a disk has its bar, percent, bytes, rate, time to go and phase`() {
        let lines = ProgressScreen.lines(disks: [row("disk 0")], all: row("all"), columns: 120, rows: 24)
        #expect(
            lines == [
                "[=================>                      ]   45.2 %    12.0 GiB of   27.0 GiB   120.0 MiB/s  "
                    + "ETA 2:03     transferring"
            ]
        )
    }

    @Test(arguments: [0, 5, 7, 8, 10, 11, 15, 16, 20, 30, 45, 60, 79, 80, 100, 132, 300])
    func `no line reaches the terminal's edge, and the percentage stays`(columns: Int) {
        for percent in [0, 0.04, 50, 99.99, 100] {
            let row = row("disk 10", percent: percent)
            let lines = ProgressScreen.lines(disks: [row, row], all: row, columns: columns, rows: 24)
            #expect(lines.count == 3)
            for line in lines {
                #expect(line.count < max(ProgressScreen.columnCountMin, columns))
                let whole = percent == 99.99 ? "99" : percent == 100 ? "100" : "\(Int(percent))"
                let decimal = percent == 99.99 ? ".9" : ".0"
                #expect(line.contains(columns > 10 ? whole + decimal : whole), "\(columns): \(line)")
            }
        }
    }

    @Test func `where the disks do not fit, those at work are shown, in their order`() {
        let disks = (0..<20).map { row("disk \($0)", isActive: $0 >= 17) }
        let lines = ProgressScreen.lines(disks: disks, all: row("all"), columns: 80, rows: 8)
        #expect(lines.count == 7)
        #expect(
            lines.prefix(5).map { $0.prefix(7) } == ["disk 0 ", "disk 1 ", "disk 17", "disk 18", "disk 19"]
        )
        let narrow = ProgressScreen.lines(disks: disks, all: row("all"), columns: 6, rows: 8)
        #expect(narrow.allSatisfy { $0.count < 6 }, "\(narrow)")
        #expect(lines[5] == "… and 15 more" && lines[6].hasPrefix("all"))
    }

    @Test func `what was written on a wider terminal takes more rows on a narrower one`() {
        let lines = [String(repeating: "x", count: 79), "short", ""]
        #expect(ProgressScreen.rowCount(lines, columns: 80) == 3)
        #expect(ProgressScreen.rowCount(lines, columns: 40) == 4)
        #expect(ProgressScreen.rowCount([], columns: 40) == 0)
    }

    @Test func `the summary has bytes, holes, rates and reports`() {
        var reports = ReportSummary(attempt: 1)
        reports.sentCount = 3
        reports.droppedCount = 1
        reports.undeliveredCount = 4
        reports.spooledCount = 4
        let result = RunResult(
            jobID: "job-1",
            reports: reports,
            progress: progress(.completed, 100),
            milliseconds: 2000,
            copyMilliseconds: 1000,
            peakRate: 80
        )
        #expect(
            result.text == """
                Backup completed: job-1
                  disks          1 of 1 complete
                  read, written  50 B
                  holes skipped  50 B
                  duration       2.0 s
                  rate           mean 50 B/s, peak 80 B/s
                  hub updates    3 sent, 1 failed, 4 spooled

                """
        )
        var stopped = result
        stopped.reason = .signal(15)
        stopped.targets = ["/t"]
        stopped.progress.disks[0].state = .transferring
        #expect(!stopped.text.contains("incomplete"))
        stopped.progress.disks[0].isTouched = true
        #expect(stopped.text.contains("incomplete     disk 0: /t was written in part"))
        #expect(stopped.members.contains { $0.0 == "incomplete_targets" && "\($0.1)".contains("/t") })
        #expect(result.notices(hub: "http://h")[0].contains("sendense-backup-client flush"))
    }
}
