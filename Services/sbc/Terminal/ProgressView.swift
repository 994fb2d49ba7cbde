internal import Glibc
internal import Logs
internal import Threading

/// Shows a run on standard output: a line redrawn in place on a terminal, plain lines elsewhere, NDJSON
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
                self = isatty(STDOUT_FILENO) == 1 ? .terminal : .lines
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
    }

    private let mode: Mode
    private let jobID: String
    private var shownAtMilliseconds: Int64?
    private var window = SpeedWindow()
    private var completed: Set<Int> = []
    private var isLineOpen = false

    init(mode: Mode, jobID: String) {
        self.mode = mode
        self.jobID = jobID
    }

    /// The run begins.
    func started(_ plan: BackupPlan, attempt: Int64?, totals: [Int64?]) {
        switch mode {
        case .quiet: break
        case .terminal, .lines:
            Output.write("Backing up \(plan.identity.vmName): \(jobID), \(plan.disks.count) disk(s)\n")
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
        window.add(moved: progress.moved, nowMilliseconds: nowMilliseconds)
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
        show(progress)
    }

    /// The run ended.
    mutating func finished(_ result: RunResult) {
        update(result.progress, nowMilliseconds: MonotonicClock.nowMilliseconds)
        closeLine()
        switch mode {
        case .quiet: break
        case .json: event(result.outcome, result.members)
        case .terminal, .lines: Output.write(result.text)
        }
    }

    private mutating func diskCompleted(_ index: Int, _ disk: DiskProgress) {
        switch mode {
        case .quiet: break
        case .json:
            event(
                "disk_completed",
                [("disk_index", .integer(Int64(index))), ("bytes_transferred", .integer(disk.dealt))]
            )
        case .terminal, .lines:
            closeLine()
            Output.write(
                "disk \(index) completed: \(Units.size(disk.dealt)), data \(Units.size(disk.moved))\n"
            )
        }
    }

    private mutating func show(_ progress: JobProgress) {
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
        if mode == .terminal {
            // To the line's start, and what was there before is erased.
            Output.write("\r\u{1B}[K\(text.prefix(terminalWidth - 1))")
            isLineOpen = true
        } else {
            Output.write(text + "\n")
        }
    }

    private var terminalWidth: Int {
        var size = winsize()
        let isKnown = unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0
        return isKnown && size.ws_col > 1 ? Int(size.ws_col) : 80
    }

    private mutating func closeLine() {
        if isLineOpen { Output.write("\r\u{1B}[K") }
        isLineOpen = false
    }

    private func event(_ name: String, _ members: [(String, JSON)]) {
        let time = UTCTime.text(milliseconds: WallClock.nowMilliseconds)
        let head: [(String, JSON)] = [
            ("event", .string(name)), ("ts", .string(time)), ("job_id", .string(jobID)),
        ]
        Output.write(JSON.object(head + members).bytes + [UInt8(ascii: "\n")])
    }
}
