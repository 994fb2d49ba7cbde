import Database
import TestSupport
import Testing

extension DatabaseTests {
    @Suite struct PipelineTests {
        /// Three rows, numbered.
        private func openRows() throws -> Connection {
            let connection = try openSample()
            try connection.execute("INSERT INTO sample (id, big) VALUES (1, 0), (2, 0), (3, 0)")
            return connection
        }

        private func bigs(_ connection: Connection) throws -> [Int64] {
            try connection.query("SELECT big FROM sample ORDER BY id").map { try $0.int(0) }
        }

        @Test func `statements are run in their order, and each has its own count`() throws {
            let connection = try openRows()
            let insert = try connection.prepare("INSERT INTO sample (id, big) VALUES (?, ?)")
            let add = try connection.prepare("UPDATE sample SET big = big + ? WHERE id >= ?")
            let double = try connection.prepare("UPDATE sample SET big = big * 2 WHERE id < 3")
            let delete = try connection.prepare("DELETE FROM sample WHERE id = ?")
            let keep = try connection.prepare("UPDATE sample SET big = big WHERE id IN (?, ?)")
            for _ in 0..<3 {
                let counts = try connection.execute(pipelined: [
                    PipelinedStatement(insert, bulk: [.ints([4, 5]), .ints([7, nil])], rowCount: 2),
                    PipelinedStatement(add, [.int(5), .int(2)]),
                    PipelinedStatement(double),
                    PipelinedStatement(delete, bulk: [.ints([])], rowCount: 0),
                    // What is as it was counts, too.
                    PipelinedStatement(keep, [.int(4), .int(5)]),
                ])
                #expect(counts == [2, 4, 2, 0, 2])
                #expect(try delete.executeBulk([.ints([4, 5])], rowCount: 2) == 2)
            }
            #expect(try bigs(connection) == [0, 70, 15])
        }

        @Test func `the first failure is told, the statements behind it run and can see it`() throws {
            let connection = try openRows()
            let insert = try connection.prepare("INSERT INTO sample (id) VALUES (?)")
            let note = try connection.prepare("UPDATE sample SET big = ROW_COUNT() WHERE id = ?")
            let fail = try connection.prepare("UPDATE sample SET price = ? WHERE id = 3")
            for _ in 0..<2 {
                let error = try error {
                    _ = try connection.execute(pipelined: [
                        PipelinedStatement(insert, [.int(2)]),
                        PipelinedStatement(note, [.int(1)]),
                        PipelinedStatement(fail, [.int(123_456)]),
                        PipelinedStatement(note, [.int(3)]),
                    ])
                }
                #expect(error.code == 1062)
                #expect(error.operation == "INSERT INTO sample (id) VALUES (?)")
                #expect(try bigs(connection) == [-1, 0, -1])
            }
            #expect(connection.isUsable)
            #expect(try connection.execute(pipelined: [PipelinedStatement(note, [.int(2)])]) == [1])
        }

        @Test func `one that is too large is not sent, and those before it are answered`() throws {
            let connection = try openRows()
            let add = try connection.prepare("UPDATE sample SET big = big + ? WHERE id = ?")
            let insert = try connection.prepare("INSERT INTO sample (id, raw) VALUES (?, ?)")
            let block = [UInt8](repeating: 1, count: Statement.bulkByteCountMax / 2)
            let error = try error {
                _ = try connection.execute(pipelined: [
                    PipelinedStatement(add, [.int(1), .int(1)]),
                    PipelinedStatement(insert, bulk: [.ints([4, 5]), .bytes([block, block])], rowCount: 2),
                    PipelinedStatement(add, [.int(1), .int(3)]),
                ])
            }
            #expect(error.code == 1153)
            #expect(connection.isUsable)
            #expect(try bigs(connection) == [1, 0, 0])
        }

        @Test(.timeLimit(.minutes(1)))
        func `a session that ends among them is lost, and nothing is waited for`() throws {
            let connection = try openRows()
            let settings = try currentSettings(of: connection)
            let add = try connection.prepare("UPDATE sample SET big = big + 1 WHERE id = ?")
            let end = try connection.prepare("KILL CONNECTION_ID()")
            let late = try connection.prepare("UPDATE sample SET big = 9 WHERE id = ?")
            let error = try error {
                _ = try connection.execute(pipelined: [
                    PipelinedStatement(add, [.int(1)]), PipelinedStatement(end),
                    PipelinedStatement(late, [.int(2)]),
                ])
            }
            #expect(error.kind == .connectionLost, "\(error)")
            #expect(!connection.isUsable)
            #expect(try DatabaseTests.error { try connection.execute("SELECT 1") }.kind == .connectionLost)
            #expect(try bigs(Connection.open(settings)) == [1, 0, 0])
        }
    }
}
