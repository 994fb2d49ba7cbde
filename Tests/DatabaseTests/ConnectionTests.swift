import Database
import Foundation
import TestSupport
import Testing

extension DatabaseTests {
    @Suite struct ConnectionTests {
        @Test func `the session is set up, and the time zone is the server's own`() throws {
            let connection = try openSample()
            let row = try connection.query(
                """
                SELECT @@session.tx_isolation, @@session.innodb_lock_wait_timeout, @@session.sql_mode, \
                @@session.character_set_client, @@session.time_zone, @@session.autocommit, @@global.time_zone
                """
            )[0]
            #expect(
                row.cells == [
                    .text("READ-COMMITTED"), .uint(1),
                    .text("STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"),
                    .text("utf8mb4"), .text("-03:00"), .int(1), .text("-03:00"),
                ]
            )
            #expect(connection.serverVersion.contains("MariaDB"))
            #expect(connection.isAlive())
        }

        @Test(arguments: ["+00:00", "-03:00"])
        func `the server's clock in SQL is UTC whatever its zone`(timeZone: String) throws {
            let connection = try Connection.open(PrivateMariaDB.shared(timeZone: timeZone).settings)
            let milliseconds = try connection.query("SELECT \(ServerClock.milliseconds)")[0].int(0)
            #expect(abs(Double(milliseconds) / 1000 - Date().timeIntervalSince1970) < 5)
        }

        @Test func `a transaction commits, and rolls back what throws`() throws {
            let connection = try openSample()
            let other = try Connection.open(try currentSettings(of: connection))
            try connection.transaction { () throws(DatabaseError) in
                try connection.execute("INSERT INTO sample (id) VALUES (1)")
            }
            _ = try error {
                try connection.transaction { () throws(DatabaseError) in
                    try connection.execute("INSERT INTO sample (id) VALUES (2)")
                    try connection.execute("INSERT INTO sample (id) VALUES (1)")
                }
            }
            #expect(try other.query("SELECT id FROM sample").map(\.cells) == [[.int(1)]])
        }

        @Test func `several statements go in one trip, up to the first that fails`() throws {
            let connection = try openSample()
            let other = try Connection.open(try currentSettings(of: connection))
            let rows = try connection.query(all: [
                "INSERT INTO sample (id) VALUES (1)", "SELECT 7", "SELECT id + 1 FROM sample",
            ])
            #expect(rows.map(\.cells) == [[.int(2)]])
            let failure = try error {
                _ = try connection.query(all: [
                    "INSERT INTO sample (id) VALUES (2)", "INSERT INTO sample (id) VALUES (1)",
                    "INSERT INTO sample (id) VALUES (3)",
                ])
            }
            #expect(failure.kind == .duplicateKey)
            #expect(
                try other.query("SELECT id FROM sample ORDER BY id").map(\.cells) == [[.int(1)], [.int(2)]]
            )
            #expect(try connection.query("SELECT 5").map(\.cells) == [[.int(5)]])
        }

        @Test func `what a transaction begins with is of it`() throws {
            let connection = try openSample()
            let other = try Connection.open(try currentSettings(of: connection))
            let beginning = ["INSERT INTO sample (id) VALUES (1)", "SELECT 7"]
            let rows = try connection.transaction(beginningWith: beginning) { rows throws(DatabaseError) in
                let seen = try other.query("SELECT id FROM sample")
                #expect(seen.isEmpty)
                return rows
            }
            #expect(rows.map(\.cells) == [[.int(7)]])
            #expect(try other.query("SELECT id FROM sample").count == 1)
            _ = try error {
                try connection.transaction(beginningWith: [
                    "INSERT INTO sample (id) VALUES (2)", "INSERT INTO sample (id) VALUES (1)",
                ]) { _ throws(DatabaseError) in }
            }
            try connection.transaction { () throws(DatabaseError) in }
            #expect(try other.query("SELECT id FROM sample").count == 1)
        }

        @Test func `errors say what a caller can do about them`() throws {
            let connection = try openSample()
            try connection.execute(
                "CREATE TABLE child (id int PRIMARY KEY REFERENCES sample (id), must int NOT NULL)"
            )
            func kind(_ sql: String) throws -> DatabaseError.Kind {
                let direct = try error { try connection.execute(sql) }
                #expect(try error { try connection.prepare(sql).execute() }.kind == direct.kind)
                return direct.kind
            }
            try connection.execute("INSERT INTO sample (id) VALUES (1)")
            #expect(try kind("INSERT INTO sample (id) VALUES (1)") == .duplicateKey)
            #expect(try kind("INSERT INTO child (id, must) VALUES (7, 1)") == .missingParent)
            #expect(try kind("INSERT INTO child (id) VALUES (1)") == .missingColumn)
            #expect(try kind("INSERT INTO sample (id, price) VALUES (3, 1000)") == .refused)
            #expect(try kind("INSERT INTO sample (id, label) VALUES (3, REPEAT('x', 256))") == .refused)
            #expect(try kind("INSERT INTO sample (id, big) VALUES (3, 'many')") == .refused)
            #expect(try kind("SELECT * FROM missing_table") == .schemaMismatch)
            #expect(try kind("SELECT missing_column FROM sample") == .schemaMismatch)
            #expect(try kind("SELEC 1") == .schemaMismatch)
        }

        @Test func `numbers alone tell the kinds that cannot be staged here`() {
            func kind(
                _ code: UInt32,
                _ message: String = "",
                _ sqlState: String = "HY000"
            ) -> DatabaseError.Kind {
                DatabaseError(code: code, sqlState: sqlState, message: message, operation: "test").kind
            }
            #expect(
                [2002, 2003, 2006, 2013, 2055, 1927, 1053, 1047, 1040, 2026].allSatisfy {
                    kind($0) == .connectionLost
                }
            )
            #expect([1213, 1205, 1020, 1637].allSatisfy { kind($0) == .retry })
            #expect([1290, 1792, 1836].allSatisfy { kind($0) == .readOnly })
            #expect([1021, 1114].allSatisfy { kind($0) == .outOfSpace })
            #expect(kind(1030, "Got error 28 \"No space left on device\" from storage engine") == .outOfSpace)
            #expect(kind(1030, "Got error 168 from storage engine") == .serverTrouble)
            #expect([1044, 1045, 1142, 1143, 1698].allSatisfy { kind($0, "", "42000") == .accessDenied })
            #expect(kind(1644, "a trigger said no", "45000") == .refused)
            #expect(kind(1105) == .serverTrouble)
        }

        @Test func `a login that fails says where, what to do, and no password`() throws {
            let server = try PrivateMariaDB.shared()
            var settings = server.settings
            settings.user = "nobody"
            settings.password = "top-secret"
            let denied = try error { _ = try Connection.open(settings) }
            #expect(denied.kind == .accessDenied)
            #expect(denied.description.contains("nobody@"))
            #expect(denied.description.contains("Check the configured user"))
            #expect(!denied.description.contains("top-secret"))
            let missing = try error { _ = try Connection.open(server.settings.using(database: "nowhere")) }
            #expect(missing.kind == .accessDenied)
            #expect(missing.code == 1049)
            settings.socketPath = "/nonexistent/socket"
            let unreachable = try error { _ = try Connection.open(settings) }
            #expect(unreachable.kind == .connectionLost)
            #expect(unreachable.description.contains("Check that MariaDB is running"))
        }

        @Test func `an error names the statement and never its values`() throws {
            let connection = try openSample()
            let direct = try error { try connection.execute("INSERT INTO missing VALUES ('secret')") }
            #expect(direct.operation == "INSERT INTO missing VALUES")
            let prepared = try error {
                try connection.prepare("INSERT INTO missing VALUES (?)").execute([.int(1)])
            }
            #expect(prepared.operation == "INSERT INTO missing VALUES (?)")
        }

        @Test func `a lock that is held for longer than a second is given up`() throws {
            let connection = try openSample()
            let settings = try currentSettings(of: connection)
            try connection.execute("INSERT INTO sample (id) VALUES (1)")
            try connection.begin()
            try connection.execute("UPDATE sample SET big = 1 WHERE id = 1")
            let error = try ThreadRun {
                try DatabaseTests.error {
                    try Connection.open(settings).execute("UPDATE sample SET big = 2 WHERE id = 1")
                }
            }.value()
            #expect(error.code == 1205)
            #expect(error.kind == .retry)
            try connection.commit()
        }

        @Test func `one of two that wait for each other gets through, the other may repeat`() throws {
            let connection = try openSample()
            let settings = try currentSettings(of: connection)
            try connection.execute("INSERT INTO sample (id) VALUES (1), (2)")
            try connection.begin()
            try connection.execute("UPDATE sample SET big = 1 WHERE id = 1")
            let otherHolds = DispatchSemaphore(value: 0)
            let other = ThreadRun { () throws -> DatabaseError? in
                let connection = try Connection.open(settings)
                try connection.begin()
                try connection.execute("UPDATE sample SET big = 2 WHERE id = 2")
                otherHolds.signal()
                do throws(DatabaseError) {
                    try connection.execute("UPDATE sample SET big = 2 WHERE id = 1")
                    try connection.commit()
                    return nil
                } catch {
                    return error
                }
            }
            otherHolds.wait()
            var mine: DatabaseError?
            do throws(DatabaseError) {
                try connection.execute("UPDATE sample SET big = 1 WHERE id = 2")
                try connection.commit()
            } catch {
                mine = error
                try connection.rollback()
            }
            let errors = try [mine, other.value()].compactMap { $0 }
            #expect(errors.map(\.kind) == [.retry])
            #expect(errors.first?.code == 1213)
            #expect(connection.isUsable)
        }

        @Test func `a killed session is lost for good, and a new one works`() throws {
            let connection = try openSample()
            let settings = try currentSettings(of: connection)
            let select = try connection.prepare("SELECT COUNT(*) FROM sample")
            try Connection.open(settings).execute("KILL \(connection.sessionID)")
            #expect(try error { _ = try select.query() }.kind == .connectionLost)
            #expect(!connection.isUsable)
            #expect(!connection.isAlive())
            #expect(try error { try connection.execute("SELECT 1") }.kind == .connectionLost)
            #expect(try Connection.open(settings).query("SELECT COUNT(*) FROM sample").count == 1)
        }

        @Test func `a server killed in a transaction loses it, and what was committed is there again`() throws
        {
            let server = try PrivateMariaDB.start(durable: true)
            let settings = try server.createDatabase()
            let connection = try Connection.open(settings)
            try connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
            try connection.execute("INSERT INTO t VALUES (1)")
            try connection.begin()
            try connection.prepare("INSERT INTO t VALUES (?)").execute([.int(2)])
            server.kill9()
            #expect(try error { try connection.commit() }.kind == .connectionLost)
            #expect(try error { _ = try Connection.open(settings) }.kind == .connectionLost)
            try server.restart()
            #expect(try error { try connection.execute("SELECT 1") }.kind == .connectionLost)
            #expect(try Connection.open(settings).query("SELECT id FROM t").map(\.cells) == [[.int(1)]])
            server.stop()
        }

        @Test func `a server that hangs is given up after the read timeout`() throws {
            let server = try PrivateMariaDB.start()
            var settings = server.settings
            settings.readTimeoutSeconds = 1
            let connection = try Connection.open(settings)
            server.pause()
            let began = ContinuousClock.now
            #expect(try error { try connection.execute("SELECT 1") }.kind == .connectionLost)
            #expect(ContinuousClock.now - began < .seconds(10))
            server.resume()
            #expect(try Connection.open(settings).query("SELECT 1").count == 1)
            server.stop()
        }

        @Test func `a foreign thread is a mistake that traps`() async throws {
            let path = try #require(try PrivateMariaDB.shared().settings.socketPath)
            await #expect(processExitsWith: .signal(SIGILL)) { [path = path as String] in
                let settings = DatabaseSettings(socketPath: path, database: "", user: "root", password: "")
                nonisolated(unsafe) let stolen = try Connection.open(settings)
                try ThreadRun { _ = unsafe stolen.isAlive() }.value()
            }
        }
    }
}
