internal import Curl
internal import Logging
internal import Threading

/// One delivery of all that is spooled.
struct FlushRun {
    enum Style: Sendable {
        case none, text, json
    }

    let access: HubAccess
    let stateDirectory: String
    let timeoutMilliseconds: Int64
    let style: Style

    /// Runs it.
    ///
    /// - Returns: the process's exit code.
    func run(_ logger: Logger) -> Int32 {
        let deadline = MonotonicClock.nowMilliseconds + timeoutMilliseconds
        let tally: BacklogTally
        do throws(StateError) {
            var backlog = try Backlog(stateDirectory: stateDirectory, logger: logger)
            do throws(CurlError) {
                var client = try HubClient(access)
                backlog.deliver(&client) { deadline }
            } catch {
                Output.complain("error: \(error)")
                return ExitStatus.usage
            }
            tally = backlog.tally
        } catch {
            Output.complain("error: \(error); give the --state-dir of the backups")
            return ExitStatus.usage
        }
        show(tally)
        for name in Spool(stateDirectory: stateDirectory).strangers {
            Output.complain(
                "warning: \(stateDirectory)/spool/\(name) is not sent: it has no report's name "
                    + "(<job>.<attempt>.<milliseconds>.json); give it its own, or move it away"
            )
        }
        return tally.leftCount + tally.refusedCount + tally.damagedCount == 0
            ? ExitStatus.success : ExitStatus.notDelivered
    }

    private func show(_ tally: BacklogTally) {
        switch style {
        case .none: break
        case .text: Output.write(tally.text(stateDirectory: stateDirectory, hub: access.shownURL))
        case .json: Output.write(JSON.object([("event", .string("flushed"))] + tally.members).bytes + [0x0A])
        }
    }
}

extension BacklogTally {
    /// The lines for people.
    func text(stateDirectory: String, hub: String) -> String {
        let refused = "\(Spool(stateDirectory: stateDirectory).refusedDirectory)"
        guard deliveredCount + refusedCount + damagedCount + leftCount > 0 else {
            return "Nothing is spooled.\n"
        }
        var lines = ["\(deliveredCount) report(s) delivered to \(hub)"]
        if refusedCount > 0 { lines.append("\(refusedCount) refused by the hub, set aside in \(refused)") }
        if damagedCount > 0 { lines.append("\(damagedCount) damaged, set aside in \(refused)") }
        if leftCount > 0 {
            lines.append("\(leftCount) left" + (lastFailure.map { "; the last try: \($0)" } ?? ""))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The members of an NDJSON event.
    var members: [(String, JSON)] {
        [
            ("reports_delivered", .integer(Int64(deliveredCount))),
            ("reports_refused", .integer(Int64(refusedCount))),
            ("reports_damaged", .integer(Int64(damagedCount))),
            ("reports_left", .integer(Int64(leftCount))),
            ("updates_sent", .integer(Int64(sentCount))),
        ]
    }
}
