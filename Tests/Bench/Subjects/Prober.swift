import Database
import StackSupport
import TestSupport
import Threading

/// A client that looks into the database as soon as its 200 is in: an answer before the commit is found out.
struct Prober {
    static let jobs = JobSet(prefix: "backup-pr", count: 50, diskCount: 2)

    /// Reports once for each job, while others load the door.
    ///
    /// - Returns: a line for each job that was not stored when the answer came.
    static func start(_ settings: DatabaseSettings, port: Int, firstNumber: Int) -> ThreadRun<[String]> {
        ThreadRun {
            try DatabaseLibrary.withThread { () throws -> [String] in
                let connection = try Connection.open(settings)
                let door = try HTTPConnection(port: port)
                var form = RequestForm(.new, jobs)
                var early: [String] = []
                for number in firstNumber..<firstNumber + jobs.count {
                    form.fill(number, second: WallClock.nowMilliseconds / 1000)
                    try door.send(String(decoding: form.bytes, as: UTF8.self))
                    let status = try door.receive().status
                    let stored = try connection.prepare("SELECT telemetry_seq FROM backup_jobs WHERE id = ?")
                        .query([.text(jobs.id(jobs.job(number)))])
                    // What is turned away under load is counted by the load.
                    guard status == 200 else { continue }
                    if try stored.first?.int(0) != jobs.seq(number) {
                        early.append("\(jobs.id(jobs.job(number))): answered before it was stored")
                    }
                }
                return early
            }
        }
    }
}
