import Database
import TestSupport
import Testing

extension DatabaseTests {
    @Suite struct StatementTests {
        @Test func `every type comes back as it went in, by both protocols`() throws {
            let connection = try openSample()
            let insert = try connection.prepare("INSERT INTO sample VALUES (?,?,?,?,?,?,?,?,?,?)")
            try insert.execute([
                .int(1), .int(.min), .text("18446744073709551615"), .text("-0.125"), .text("999.99"),
                .text("naïve 😀"), .text(""), .bytes([0, 255, 39, 92]), .text("2026-11-23 04:05:06"), .int(1),
            ])
            let rows = try connection.prepare("SELECT * FROM sample").query()
            #expect(rows == (try connection.query("SELECT * FROM sample")))
            #expect(
                rows.map(\.cells) == [
                    [
                        .int(1), .int(.min), .uint(.max), .double(-0.125), .text("999.99"), .text("naïve 😀"),
                        .text(""), .bytes([0, 255, 39, 92]), .text("2026-11-23 04:05:06"), .int(1),
                    ]
                ]
            )
        }

        @Test func `NULL is told from zero and from nothing`() throws {
            let connection = try openSample()
            let insert = try connection.prepare("INSERT INTO sample VALUES (?,?,?,?,?,?,?,?,?,?)")
            try insert.execute([.int(1)] + Array(repeating: .null, count: 9))
            try insert.execute([
                .int(2), .int(0), .int(0), .int(0), .int(0), .text(""), .text(""), .bytes([]), .null, .int(0),
            ])
            let select = try connection.prepare("SELECT * FROM sample ORDER BY id")
            let rows = try select.query()
            #expect(rows == (try connection.query("SELECT * FROM sample ORDER BY id")))
            #expect((1..<10).allSatisfy { rows[0].isNull($0) })
            #expect(try rows[0].optionalInt(1) == nil)
            #expect(try rows[1].optionalInt(1) == 0)
            #expect(rows[1].cells[5...7] == [.text(""), .text(""), .bytes([])])
        }

        @Test(arguments: [0, 1, 255, 256, 257, 4096, 100_000])
        func `a long cell comes whole, also beside a short one`(byteCount: Int) throws {
            let connection = try openSample()
            var generator = SplitMix64(seed: UInt64(byteCount))
            let story = text(byteCount: byteCount, &generator)
            let bytes = (0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &generator) }
            try connection.prepare("INSERT INTO sample (id, label, story, raw) VALUES (?, 'x', ?, ?)")
                .execute([.int(1), .text(story), .bytes(bytes)])
            try connection.execute("INSERT INTO sample (id, label) VALUES (2, 'after')")
            let rows = try connection.prepare("SELECT story, label, raw FROM sample ORDER BY id").query()
            #expect(
                rows.map(\.cells) == [
                    [.text(story), .text("x"), .bytes(bytes)], [.null, .text("after"), .null],
                ]
            )
        }

        @Test func `a sum of whole numbers is a whole number, and an average is not`() throws {
            let connection = try openSample()
            try connection.execute("INSERT INTO sample (id, big) VALUES (1, 4000000000), (2, 4000000001)")
            for row in try [
                connection.query("SELECT SUM(big), AVG(big), COUNT(*) FROM sample")[0],
                connection.prepare("SELECT SUM(big), AVG(big), COUNT(*) FROM sample").query()[0],
            ] {
                #expect(try row.int(0) == 8_000_000_001)
                #expect(try row.double(1) == 4_000_000_000.5)
                #expect(try row.int(2) == 2)
            }
        }

        @Test func `a cell of another kind is an error that names the column`() throws {
            let connection = try openSample()
            let row = try connection.query(
                "SELECT NULL AS nothing, 'x' AS letter, 18446744073709551615 AS most"
            )[0]
            let errors = try [
                error { _ = try row.int(0) }, error { _ = try row.text(0) }, error { _ = try row.int(1) },
                error { _ = try row.double(1) }, error { _ = try row.int(2) }, error { _ = try row.text(2) },
            ]
            #expect(errors.allSatisfy { $0.code == 0 && $0.kind == .schemaMismatch })
            #expect(errors[0].description.contains("nothing"))
            #expect(errors[2].description.contains("letter"))
        }

        @Test func `an identical update matches its row`() throws {
            let connection = try openSample()
            try connection.execute("INSERT INTO sample (id, big) VALUES (1, 5)")
            let update = try connection.prepare("UPDATE sample SET big = ? WHERE id = ?")
            #expect(try update.execute([.int(5), .int(1)]) == 1)
            #expect(try update.execute([.int(5), .int(2)]) == 0)
            #expect(try connection.execute("UPDATE sample SET big = 5 WHERE id = 1") == 1)
            #expect(try connection.execute("UPDATE sample SET big = 5 WHERE id = 2") == 0)
        }

        @Test func `a statement is prepared once and stays good after an error`() throws {
            let connection = try openSample()
            let insert = try connection.prepare("INSERT INTO sample (id) VALUES (?)")
            #expect(try connection.prepare("INSERT INTO sample (id) VALUES (?)") === insert)
            #expect(try insert.execute([.int(1)]) == 1)
            #expect(try error { try insert.execute([.int(1)]) }.kind == .duplicateKey)
            #expect(try insert.execute([.int(2)]) == 1)
        }

        @Test func `more statements than the cache holds do no harm, also to one in use`() throws {
            let connection = try openSample()
            let first = try connection.prepare("SELECT COUNT(*) FROM sample")
            for number in 0..<(Connection.statementCountMax + 10) {
                #expect(try connection.prepare("SELECT \(number)").query()[0].int(0) == Int64(number))
            }
            #expect(try first.query()[0].int(0) == 0)
            let count = try connection.query("SHOW SESSION STATUS LIKE 'Com_stmt_close'")[0].text(1)
            #expect(try #require(Int(count)) >= Connection.statementCountMax - 1)
        }

        @Test func `a statement outlives its table`() throws {
            let connection = try openSample()
            for round in 1...3 {
                try connection.execute("CREATE TEMPORARY TABLE batch (id int PRIMARY KEY) ENGINE=MEMORY")
                let insert = try connection.prepare("INSERT INTO batch VALUES (?)")
                try insert.executeBulk([.ints((0..<Int64(round)).map { $0 })], rowCount: round)
                #expect(
                    try connection.prepare("SELECT COUNT(*) FROM batch").query()[0].int(0) == Int64(round)
                )
                try connection.execute("DROP TEMPORARY TABLE batch")
            }
        }

        @Test func `a statement keeps its connection alive`() throws {
            let statement = try openSample().prepare("SELECT CONNECTION_ID()")
            #expect(try statement.query().count == 1)
        }
    }
}
