/// The progress as lines of a terminal: a bar for each disk, and one for all. Pure.
struct ProgressScreen {
    /// What one line shows.
    struct Row: Equatable, Sendable {
        var name: String
        var percent: Double
        var dealt: Int64
        var total: Int64?
        /// Bytes per second. nil while unknown.
        var speed: Int64?
        var etaSeconds: Int64?
        /// The phase, or the disk's state.
        var state: String
        /// It is worth its line before others are.
        var isActive: Bool
    }

    /// A narrower terminal is written to as if it were this wide; less has no room for a percentage.
    static let columnCountMin = 5
    static let barColumnCountMax = 40

    /// The lines, none longer than the terminal is wide.
    ///
    /// - Parameters:
    ///   - disks: in their order.
    ///   - all: their sum; shown last, and alone where there is but one disk.
    ///   - columns: the terminal's width.
    ///   - rows: its height: where the disks do not fit, those that are at work are shown.
    /// - Returns: the lines, from the top.
    static func lines(disks: [Row], all: Row, columns: Int, rows: Int) -> [String] {
        let columns = max(columnCountMin, columns)
        guard disks.count > 1 else { return [line(all, nameColumns: 0, columns)] }
        let room = max(1, rows - 3)
        var shown = Array(disks.indices)
        if shown.count > room {
            let first = shown.filter { disks[$0].isActive } + shown.filter { !disks[$0].isActive }
            shown = first.prefix(room).sorted()
        }
        let nameColumns = disks.map(\.name.count).max() ?? 0
        var lines = shown.map { line(disks[$0], nameColumns: nameColumns, columns) }
        if shown.count < disks.count {
            lines.append(String("… and \(disks.count - shown.count) more".prefix(columns - 1)))
        }
        return lines + [line(all, nameColumns: nameColumns, columns)]
    }

    /// How many rows of a terminal lines take that were written when it may have been wider.
    static func rowCount(_ lines: [String], columns: Int) -> Int {
        lines.reduce(0) { $0 + max(1, ($1.count + columns - 1) / max(1, columns)) }
    }

    private static func line(_ row: Row, nameColumns: Int, _ columns: Int) -> String {
        let name = nameColumns == 0 ? "" : padded(row.name, nameColumns, isRight: false) + "  "
        let percent = padded("\(Units.oneDecimal((row.percent * 10).rounded(.down) / 10)) %", 7)
        let sizes =
            padded(Units.size(row.dealt), 10) + " of " + padded(row.total.map { Units.size($0) } ?? "?", 10)
        let speed = padded(row.speed.map { "\(Units.size($0))/s" } ?? "-", 12)
        let eta = "ETA " + padded(row.etaSeconds.map { Units.clock(seconds: $0) } ?? "-", 7, isRight: false)
        guard name.count + percent.count < columns else { return shortLine(row, columns) }
        // What matters least goes first where there is no room.
        let parts = [percent, sizes, speed, eta, padded(row.state, "transferring".count, isRight: false)]
        let droppable = [[], [1], [1, 4], [1, 2, 4], [1, 2, 3, 4]]
        for dropped in droppable {
            let kept = parts.indices.filter { !dropped.contains($0) }.map { parts[$0] }
            let text = kept.joined(separator: "  ")
            let left = columns - 1 - name.count - text.count - 4
            if left >= 10 || dropped == droppable.last {
                let bar = left >= 4 ? "[\(bar(row.percent, min(left, barColumnCountMax)))]  " : ""
                return String((name + bar + text).prefix(columns - 1))
            }
        }
        return ""
    }

    /// A percentage alone, as well as it fits.
    private static func shortLine(_ row: Row, _ columns: Int) -> String {
        let percent = "\(Units.oneDecimal((row.percent * 10).rounded(.down) / 10)) %"
        return percent.count < columns ? percent : "\(Int(row.percent))%"
    }

    private static func bar(_ percent: Double, _ columns: Int) -> String {
        let filled = min(columns, Int(percent / 100 * Double(columns)))
        let head = filled > 0 && filled < columns ? ">" : ""
        let body = String(repeating: "=", count: filled - head.count) + head
        return body + String(repeating: " ", count: columns - body.count)
    }

    private static func padded(_ text: String, _ columns: Int, isRight: Bool = true) -> String {
        let space = String(repeating: " ", count: max(0, columns - text.count))
        return isRight ? space + text : text + space
    }
}
