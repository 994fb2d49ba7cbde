import Database
import JobModel
import ServiceKit
import Threading

/// Holds every job in the database against the rules, and mends what can be mended if it is to.
struct Audit {
    /// The exit status where breaches are left.
    private static let breachStatus: Int32 = 3
    /// How often a job whose rows somebody holds is tried.
    private static let triesMax = 3

    private let store: AuditStore
    private let options: AuditOptions
    private(set) var report: AuditReport

    /// Runs the audit and prints what it finds.
    ///
    /// - Throws: `ProgramEnd` if breaches are left, `DatabaseError` if the database cannot be read.
    static func run(_ settings: DatabaseSettings, _ options: AuditOptions) async throws {
        try await OneShot.run(name: "audit") {
            var audit = Audit(try Connection.open(settings), options) { print($0) }
            try audit.run()
            let sum = audit.report.sum
            guard sum.left == 0 else {
                let left = Line.count(sum.left, "breach is left", "breaches are left")
                let isMendable = !options.isRepair && sum.mendable > 0
                throw ProgramEnd(
                    status: breachStatus,
                    isMendable ? "\(left); --repair mends \(sum.mendable) of them" : left
                )
            }
        }
    }

    init(_ connection: Connection, _ options: AuditOptions, write: @escaping (String) -> Void) {
        store = AuditStore(connection)
        self.options = options
        report = AuditReport(isJSON: options.isJSON, write: write)
    }

    /// Looks at all jobs, page by page: memory stays the same however many there are.
    mutating func run() throws(DatabaseError) {
        let start = MonotonicClock.nowNanoseconds
        var next: String? = ""
        while let from = next {
            let page = try store.page(after: from)
            for entry in page.entries {
                switch entry {
                case .job(let job): try look(at: job)
                case .unreadable(let id, let word): report.note(id, .unreadable, word?.fact ?? "")
                }
            }
            next = page.next
        }
        report.end(seconds: Double(MonotonicClock.nowNanoseconds - start) / 1e9)
    }

    private mutating func look(at job: AuditedJob) throws(DatabaseError) {
        report.saw(job)
        for (note, detail) in job.notes(options.rule) { report.note(job.job.id.rawValue, note, detail) }
        let audit = job.audit()
        guard options.isRepair, audit.repairEvent != nil else {
            return report.tell(job.job.id, audit.breaches.map { ($0, options.isRepair ? .left : .found) })
        }
        report.tell(job.job.id, try repair(job.job.id, audit))
    }

    /// One job that cannot be mended does not hold up the others.
    private func repair(
        _ id: JobID,
        _ audit: JobAudit
    ) throws(DatabaseError) -> [(breach: Breach, fate: AuditReport.Fate)] {
        var tries = 0
        while true {
            tries += 1
            do throws(DatabaseError) {
                guard let repair = try store.repair(id) else { return [] }
                return repair.mended.map { ($0, .mended) } + repair.left.map { ($0, .left) }
            } catch {
                let obstacle: String
                switch error.kind {
                case .retry where tries < Self.triesMax: continue
                case .retry: obstacle = "another transaction holds its rows; run it again"
                case .refused, .schemaMismatch: obstacle = "the database does not take it: \(error.message)"
                default: throw error
                }
                return audit.breaches.map { breach in
                    var breach = breach
                    breach.obstacle = breach.obstacle ?? obstacle
                    return (breach, .left)
                }
            }
        }
    }
}
