import TestSupport
import Testing

@testable import Database

extension DatabaseTests {
    /// One at a time, in both directions.
    @Suite struct ClaimTests {
        @Test func `a statement that outlasts the claim keeps it`() throws {
            let settings = try Hub.empty.make()
            let none = [Migration(version: 1, name: "none", steps: [])]
            try Migrator(settings, owner: "test", migrations: none).run()
            let own = MigrationClaim(owner: "own", holdMilliseconds: 1500, renewalMilliseconds: 150)
            let other = MigrationClaim(owner: "other", holdMilliseconds: 1500, renewalMilliseconds: 150)
            let connection = try Connection.open(settings)
            #expect(try own.take(connection))
            try own.kept(settings) { () throws(DatabaseError) in
                for _ in 0..<25 {
                    _ = try connection.query("DO SLEEP(0.1)")
                    #expect(try !other.take(connection))
                }
            }
            _ = try connection.query("DO SLEEP(1.6)")
            #expect(try other.take(connection), "without renewal it expires")
        }

        @Test(arguments: 0..<4)
        func `two ways back at once are one`(round: Int) throws {
            let settings = try Hub.field.make()
            let connection = try Connection.open(settings)
            let before = try DownTests.state(connection)
            try Migrator(settings, owner: "test").run()
            let runs = (0..<3).map { number in
                ThreadRun { () throws -> (Bool, [String]) in
                    var statements: [String] = []
                    let hasWorked = try Migrator(settings, owner: "service \(number)").runDown(
                        timeoutSeconds: 60
                    ) {
                        guard case .begins(let statement) = $0, !statement.isBookkeeping else { return }
                        statements.append(statement.sql)
                    }
                    return (hasWorked, statements)
                }
            }
            let results = try runs.map { try $0.value() }
            #expect(results.contains { $0.0 })
            let statements = results.flatMap(\.1)
            #expect(Set(statements).count == statements.count, "nothing ran twice")
            #expect(try DownTests.state(connection) == before)
        }

        @Test(arguments: 0..<4)
        func `a way up that meets a way back ends with all or nothing of ours`(round: Int) throws {
            let settings = try Hub.field.make()
            let connection = try Connection.open(settings)
            let before = try DownTests.state(connection)
            try Migrator(settings, owner: "test").run()
            let after = try schema(connection)
            let down = ThreadRun { try Migrator(settings, owner: "down").runDown(timeoutSeconds: 60) }
            let up = ThreadRun { try Migrator(settings, owner: "up").run(timeoutSeconds: 60).count }
            #expect(try down.value())
            if try up.value() > 0 {
                #expect(try schema(connection) == after)
                try Migrator(settings, owner: "test").runDown()
            }
            #expect(try DownTests.state(connection) == before)
        }

        @Test func `a claim in force keeps the way back waiting, and names its owner`() throws {
            let settings = try Hub.field.make()
            let connection = try Connection.open(settings)
            try Migrator(settings, owner: "test").run()
            #expect(try MigrationClaim(owner: "another").take(connection))
            let before = try schema(connection)
            #expect(throws: MigrationError.claimed(owner: "another", waitedSeconds: 1)) {
                try Migrator(settings, owner: "test").runDown(timeoutSeconds: 1)
            }
            #expect(try schema(connection) == before)
        }

        @Test func `a table in use holds others up for two seconds at a time`() throws {
            let settings = try Hub.field.make()
            let holder = try Connection.open(settings)
            try holder.begin()
            _ = try holder.query("SELECT COUNT(*) FROM backup_jobs")
            let run = ThreadRun { try Migrator(settings, owner: "test").run(timeoutSeconds: 9) }
            let root = try Connection.open(PrivateMariaDB.shared().settings)
            let waiting = "SELECT ID FROM information_schema.PROCESSLIST WHERE STATE LIKE '%metadata lock%'"
            while try root.query(waiting).isEmpty {}
            // Behind the ALTER that waits, a hub's update waits too, but not for long.
            let hub = try Connection.open(settings)
            let start = ContinuousClock.now
            for _ in 0..<3 { try hub.execute("UPDATE backup_jobs SET total_bytes = total_bytes + 1") }
            #expect(ContinuousClock.now - start < .seconds(5))
            let error = try #require(throws: MigrationError.self) { _ = try run.value() }
            #expect(error.description.contains("another session has the table in use"), "\(error)")
            try holder.commit()
            #expect(try Migrator(settings, owner: "test").run().count == Migration.all.count)
        }
    }
}
