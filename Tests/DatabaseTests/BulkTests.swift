import Database
import TestSupport
import Testing

extension DatabaseTests {
    @Suite struct BulkTests {
        @Test(arguments: UInt64(0)..<4)
        func `a thousand random rows come back as they went in`(seed: UInt64) throws {
            let connection = try openSample()
            var generator = SplitMix64(seed: seed)
            let count = 1000
            let numbers: [Int64?] = (0..<count).map { _ in
                Bool.random(using: &generator) ? nil : .random(in: .min ... .max, using: &generator)
            }
            let labels: [String?] = (0..<count).map { row in
                row % 5 == 0 ? nil : text(byteCount: Int.random(in: 0..<60, using: &generator), &generator)
            }
            let stories: [String?] = (0..<count).map { row in
                row % 50 == 7 ? text(byteCount: 4096, &generator) : (row % 2 == 0 ? "" : nil)
            }
            let raws: [[UInt8]?] = (0..<count).map { row in
                row % 3 == 0
                    ? nil : (0..<(row % 20)).map { _ in UInt8.random(in: 0...255, using: &generator) }
            }
            let matched = try connection.prepare(
                "INSERT INTO sample (id, big, label, story, raw) VALUES (?, ?, ?, ?, ?)"
            ).executeBulk(
                [
                    .ints((0..<Int64(count)).map { $0 }), .ints(numbers), .texts(labels), .texts(stories),
                    .bytes(raws),
                ],
                rowCount: count
            )
            #expect(matched == 1000)
            let rows = try connection.prepare("SELECT big, label, story, raw FROM sample ORDER BY id").query()
            #expect(rows.count == count)
            for (row, cells) in rows.map(\.cells).enumerated() {
                let expected: [Cell] = [
                    numbers[row].map(Cell.int) ?? .null, labels[row].map(Cell.text) ?? .null,
                    stories[row].map(Cell.text) ?? .null, raws[row].map(Cell.bytes) ?? .null,
                ]
                try #require(cells == expected, "seed \(seed), row \(row)")
            }
        }

        @Test func `a duplicate in the middle is told, and a rollback leaves nothing`() throws {
            let connection = try openSample()
            try connection.execute("INSERT INTO sample (id) VALUES (500)")
            let insert = try connection.prepare("INSERT INTO sample (id, label) VALUES (?, ?)")
            let ids = BulkColumn.ints((0..<1000).map { $0 })
            let labels = BulkColumn.texts((0..<1000).map { "row \($0)" })
            let error = try error {
                try connection.transaction { () throws(DatabaseError) in
                    _ = try insert.executeBulk([ids, labels], rowCount: 1000)
                }
            }
            #expect(error.code == 1062)
            #expect(error.kind == .duplicateKey)
            #expect(try connection.query("SELECT COUNT(*) FROM sample")[0].int(0) == 1)
            #expect(connection.isUsable)
            try connection.execute("DELETE FROM sample")
            #expect(try insert.executeBulk([ids, labels], rowCount: 1000) == 1000)
        }

        @Test func `matched rows add up over the rows of an update`() throws {
            let connection = try openSample()
            try connection.execute("INSERT INTO sample (id, big) VALUES (1, 10), (2, 20)")
            let update = try connection.prepare("UPDATE sample SET big = ? WHERE id = ?")
            let matched = try update.executeBulk(
                [.ints([10, 21, 30]), .ints([1, 2, 3])],
                rowCount: 3
            )
            #expect(matched == 2)
            #expect(try connection.query("SELECT SUM(big) FROM sample")[0].int(0) == 31)
        }

        @Test func `one statement serves bulk and single runs in turn`() throws {
            let connection = try openSample()
            let insert = try connection.prepare("INSERT INTO sample (id, label) VALUES (?, ?)")
            var next: Int64 = 0
            for round in 0..<6 {
                if round % 2 == 0 {
                    try insert.execute([.int(next), .text("single")])
                    next += 1
                } else {
                    try insert.executeBulk(
                        [.ints([next, next + 1, next + 2]), .texts([nil, "", "bulk"])],
                        rowCount: 3
                    )
                    next += 3
                }
            }
            #expect(
                try connection.query("SELECT COUNT(*), COUNT(label) FROM sample")[0].cells == [
                    .int(12), .int(9),
                ]
            )
        }

        @Test func `columns of nothing but NULL, one row, and no row at all`() throws {
            let connection = try openSample()
            let insert = try connection.prepare(
                "INSERT INTO sample (id, big, label, raw) VALUES (?, ?, ?, ?)"
            )
            #expect(try insert.executeBulk([.ints([]), .ints([]), .texts([]), .bytes([])], rowCount: 0) == 0)
            #expect(
                try insert.executeBulk([.ints([1]), .ints([nil]), .texts([nil]), .bytes([nil])], rowCount: 1)
                    == 1
            )
            #expect(
                try insert.executeBulk([.ints([2]), .ints([7]), .texts([""]), .bytes([[]])], rowCount: 1) == 1
            )
            #expect(
                try connection.query("SELECT big, label, raw FROM sample ORDER BY id").map(\.cells)
                    == [[.null, .null, .null], [.int(7), .text(""), .bytes([])]]
            )
        }

        @Test func `a call too large for the server is refused before it is sent`() throws {
            let connection = try openSample()
            let insert = try connection.prepare("INSERT INTO sample (id, raw) VALUES (?, ?)")
            let block = [UInt8](repeating: 1, count: Statement.bulkByteCountMax / 2)
            let error = try error {
                try insert.executeBulk([.ints([1, 2]), .bytes([block, block])], rowCount: 2)
            }
            #expect(error.code == 1153)
            #expect(error.kind == .refused)
            #expect(connection.isUsable)
            #expect(try insert.executeBulk([.ints([1]), .bytes([block])], rowCount: 1) == 1)
        }
    }
}
