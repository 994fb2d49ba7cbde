import Database
import JobModel
import TestSupport
import Testing
import Threading

@Suite struct BrokenResultTests {
    @Test func `a lock that comes up in the middle of the rows costs the lock's wait and no more`() throws {
        let settings = try PrivateMariaDB.shared(timeZone: "+00:00").createDatabase()
        try ThreadRun {
            try DatabaseLibrary.withThread { () throws in
                try Migrator(settings, owner: "test").run()
                let ids = try ["job-a", "job-b", "job-c"].map { try #require(JobID($0)) }
                let (holder, reader) = (try Connection.open(settings), try Connection.open(settings))
                for id in ids {
                    try holder.prepare(
                        "INSERT INTO backup_jobs (id, vm_name, backup_type) VALUES (?, 'v', 'full')"
                    )
                    .execute([.text(id.rawValue)])
                }
                try holder.begin()
                _ = try holder.query("SELECT id FROM backup_jobs WHERE id = 'job-c' FOR UPDATE")
                let start = MonotonicClock.nowMilliseconds
                for _ in 0..<2 {
                    do {
                        try reader.transaction { () throws(DatabaseError) in
                            _ = try JobStore(reader).lock(ids)
                        }
                        Issue.record("the lock was not in the way")
                    } catch let error as DatabaseError {
                        #expect(error.kind == .retry)
                    }
                }
                try holder.rollback()
                let jobs = try reader.transaction { () throws(DatabaseError) in try JobStore(reader).lock(ids)
                }
                #expect(jobs.jobs.count == 3)
                #expect(MonotonicClock.nowMilliseconds - start < 10_000)
            }
        }.value()
    }

    @Test func `an error among rows that nobody wants is told all the same`() throws {
        let settings = try PrivateMariaDB.shared(timeZone: "+00:00").createDatabase()
        try ThreadRun {
            try DatabaseLibrary.withThread { () throws in
                let (holder, reader) = (try Connection.open(settings), try Connection.open(settings))
                try holder.execute("CREATE TABLE sample (id int NOT NULL PRIMARY KEY) ENGINE=InnoDB")
                try holder.execute("INSERT INTO sample SELECT seq FROM seq_1_to_3")
                try holder.begin()
                try holder.execute("SELECT id FROM sample WHERE id = 3 FOR UPDATE")
                let lock = "SELECT id FROM sample ORDER BY id FOR UPDATE"
                for _ in 0..<2 {
                    let error = try #require(throws: DatabaseError.self) {
                        try reader.prepare(lock).execute()
                    }
                    #expect(error.kind == .retry)
                }
                try holder.rollback()
                try reader.prepare(lock).execute()
            }
        }.value()
    }
}
