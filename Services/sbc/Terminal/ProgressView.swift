internal import Glibc
internal import Logs
internal import Threading

/// Shows a run on standard output: bars redrawn in place on a terminal, plain lines elsewhere, NDJSON
/// events, or nothing. Belongs to the main thread.
struct ProgressView {
    enum Mode: Equatable, Sendable {
        case quiet, json, terminal, lines

        /// The mode for a plan, by what standard output is.
        init(_ plan: BackupPlan) {
            if plan.isJSON {
                self = .json
            } else if plan.isQuiet {
                self = .quiet
            } else {
                let isPlain = unsafe getenv("TERM").map { unsafe String(cString: $0) } ?? "dumb" == "dumb"
                self = isatty(STDOUT_FILENO) == 1 && !isPlain ? .terminal : .lines
            }
        }

        /// The time between two showings, in milliseconds.
        fileprivate var intervalMilliseconds: Int64 {
            switch self {
            case .quiet: Int64.max
            case .json: 1000
            case .terminal: 200
            case .lines: 2000
            }
        }

        /// With more than this unread, progress is not shown, in bytes. A terminal's picture comes whole or not at all.
        fileprivate var waitingByteCountMax: Int { self == .terminal ? 0 : 65_536 }
    }

    private let mode: Mode
    private let jobID: String
    private var shownAtMilliseconds: Int64?
    private var window = SpeedWindow()
    private var diskWindows: [SpeedWindow] = []
    private var shortWindow = SpeedWindow(spanMilliseconds: 1000)
    /// The most bytes per second that a second had. nil while unknown.
    private(set) var peakRate: Int64?
    private var completed: Set<Int> = []
    /// What is on the terminal now, to be drawn over.
    private var drawn: [String] = []

    init(mode: Mode, jobID: String) {
        self.mode = mode
        self.jobID = jobID
    }

    /// The run begins.
    func started(_ plan: BackupPlan, attempt: Int64?, totals: [Int64?]) {
        switch mode {
        case .quiet: break
        case .terminal, .lines:
            let name = Output.escaped("\(plan.identity.vmName): \(jobID)")
            Output.write("Backing up \(name), \(plan.disks.count) disk(s)\n")
        case .json:
            let disks = zip(plan.disks, totals).enumerated().map { index, pair in
                JSON.object([
                    ("disk_index", .integer(Int64(index))),
                    ("source", .string(pair.0.source.description)),
                    ("target", .string(pair.0.target.description)),
                    ("total_bytes", JSON(pair.1)),
                ])
            }
            event(
                "started",
                [
                    ("vm_name", .string(plan.identity.vmName)),
                    ("attempt", JSON(attempt)),
                    ("disks", .array(disks)),
                ]
            )
        }
    }

    /// Shows the counters, if it is time, and the disks that have ended since.
    mutating func update(_ progress: JobProgress, nowMilliseconds: Int64) {
        measure(progress, nowMilliseconds: nowMilliseconds)
        for (index, disk) in progress.disks.enumerated()
        where disk.state == .completed && completed.insert(index).inserted {
            diskCompleted(index, disk)
        }
        guard mode != .quiet else { return }
        if let shownAtMilliseconds, nowMilliseconds - shownAtMilliseconds < mode.intervalMilliseconds {
            return
        }
        // The first showing is due an interval after the start, not at 0 %.
        guard shownAtMilliseconds != nil || mode == .terminal else {
            shownAtMilliseconds = nowMilliseconds
            return
        }
        shownAtMilliseconds = nowMilliseconds
        // Who has not read the last ones is not shown more: what comes next says it all.
        guard Output.waitingByteCount <= mode.waitingByteCountMax else { return }
        show(progress)
    }

    /// The run ended.
    mutating func finished(_ result: RunResult) {
        update(result.progress, nowMilliseconds: MonotonicClock.nowMilliseconds)
        // The last word stays on the terminal, above the summary.
        if mode == .terminal { draw(result.progress) }
        defer { Output.settleOutput() }
        switch mode {
        case .quiet: break
        case .json: event(result.outcome, result.members)
        case .terminal, .lines: Output.write(result.text)
        }
    }

    private mutating func diskCompleted(_ index: Int, _ disk: DiskProgress) {
        switch mode {
        // The terminal has the disk's bar.
        case .quiet, .terminal: break
        case .json:
            event(
                "disk_completed",
                [("disk_index", .integer(Int64(index))), ("bytes_transferred", .integer(disk.dealt))]
            )
        case .lines:
            Output.write(
                "disk \(index) completed: \(Units.size(disk.dealt)), data \(Units.size(disk.moved))\n"
            )
        }
    }

    private mutating func measure(_ progress: JobProgress, nowMilliseconds: Int64) {
        window.add(moved: progress.moved, nowMilliseconds: nowMilliseconds)
        shortWindow.add(moved: progress.moved, nowMilliseconds: nowMilliseconds)
        if let rate = shortWindow.bytesPerSecond { peakRate = max(peakRate ?? 0, rate) }
        while diskWindows.count < progress.disks.count { diskWindows.append(SpeedWindow()) }
        for (index, disk) in progress.disks.enumerated() {
            diskWindows[index].add(moved: disk.moved, nowMilliseconds: nowMilliseconds)
        }
    }

    private mutating func show(_ progress: JobProgress) {
        if mode == .terminal { return draw(progress) }
        let speed = window.bytesPerSecond
        let eta = window.etaSeconds(dataToGo: progress.dataToGo)
        if mode == .json {
            event(
                "progress",
                [
                    ("phase", .string(progress.phase.name)),
                    ("bytes_transferred", .integer(progress.dealt)),
                    ("total_bytes", .integer(progress.total)),
                    ("progress_percent", .percent(progress.percent)),
                    ("transfer_speed_bps", JSON(speed)),
                    ("eta_seconds", JSON(eta)),
                ]
            )
            return
        }
        let disks = progress.disks.map { "\(Int($0.percent))%" }.joined(separator: " ")
        let text =
            "\(progress.phase.name) \(Units.oneDecimal(progress.percent))%  "
            + "\(Units.size(progress.dealt)) of \(Units.size(progress.total))  "
            + (speed.map { "\(Units.size($0))/s" } ?? "-") + "  "
            + (eta.map { "ETA \(Units.clock(seconds: $0))" } ?? "ETA -")
            + (progress.disks.count > 1 ? "  [\(disks)]" : "")
        Output.write(text + "\n")
    }

    private mutating func draw(_ progress: JobProgress) {
        let disks = progress.disks.enumerated().map { index, disk in
            let isMoving = disk.state == .transferring
            let toGo = disk.data.map { max(0, $0 - disk.moved) }
            return ProgressScreen.Row(
                name: "disk \(index)",
                percent: disk.percent,
                dealt: disk.dealt,
                total: disk.total,
                speed: isMoving ? diskWindows[index].bytesPerSecond : nil,
                etaSeconds: isMoving ? diskWindows[index].etaSeconds(dataToGo: toGo) : nil,
                state: disk.state.name,
                isActive: isMoving
            )
        }
        let isMoving = progress.phase == .transferring
        let all = ProgressScreen.Row(
            name: "all",
            percent: progress.percent,
            dealt: progress.dealt,
            total: progress.total,
            speed: isMoving ? window.bytesPerSecond : nil,
            etaSeconds: isMoving ? window.etaSeconds(dataToGo: progress.dataToGo) : nil,
            state: progress.phase.name,
            isActive: true
        )
        let (columns, rows) = terminalSize
        let lines = ProgressScreen.lines(disks: disks, all: all, columns: columns, rows: rows)
        // Up to where the last picture began, which has more rows by now if the terminal became narrower; then
        // each line is written over the old one, and what is right of it and below is erased. In one write, so
        // that nobody sees half of it.
        var text = ""
        let up = ProgressScreen.rowCount(drawn, columns: columns)
        if up > 0 { text += "\u{1B}[\(up)A\r" }
        for line in lines { text += "\(line)\u{1B}[K\n" }
        text += "\u{1B}[J"
        Output.write(text)
        drawn = lines
    }

    private var terminalSize: (columns: Int, rows: Int) {
        var size = winsize()
        let isKnown = unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0
        guard isKnown, size.ws_col > 1, size.ws_row > 1 else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    private func event(_ name: String, _ members: [(String, JSON)]) {
        let time = UTCTime.text(milliseconds: WallClock.nowMilliseconds)
        let head: [(String, JSON)] = [
            ("event", .string(name)), ("ts", .string(time)), ("job_id", .string(jobID)),
        ]
        Output.write(JSON.object(head + members).bytes + [UInt8(ascii: "\n")])
    }
}
