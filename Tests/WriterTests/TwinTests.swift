import Database
import DatabaseKit
import JobModel
import Logging
import ServiceKit
import TestSupport
import Testing
import Threading

@testable import Writer

/// Two databases get the same batches and the same interventions: one by the fast way and joins, the other by a user
/// who may make no temporary tables, so row by row behind locks. Whatever happens, rows and answers are the same.
@Suite struct TwinTests {
    @Test(arguments: UInt64(0)..<8, [false, true])
    func `the fast way leaves the rows and answers that the careful way leaves`(
        seed: UInt64,
        isAdopted: Bool
    ) throws {
        try ThreadRun {
            try DatabaseLibrary.withThread { () throws in
                var generator = SplitMix64(seed: seed)
                let twins = try (
                    Twin(isAdopted: isAdopted, mayJoin: true), Twin(isAdopted: isAdopted, mayJoin: false)
                )
                var script = TwinScript(jobCount: 12)
                var second: Int64 = 1_760_000_000
                for step in 0..<60 {
                    second += Int64.random(in: 0...8, using: &generator)
                    let batch = script.batch(&generator)
                    let statements = script.intervention(&generator)
                    let answers = try [twins.0, twins.1].map { twin in
                        for statement in statements { try twin.connection.execute(statement) }
                        return try twin.commit(batch, atSecond: second)
                    }
                    let place = "seed \(seed), adopted \(isAdopted), step \(step)"
                    #expect(answers[0] == answers[1], "\(place)")
                    let rows = try (twins.0.rows(), twins.1.rows())
                    try #require(Twin.difference(rows.0, rows.1) == nil, "\(place), after \(statements)")
                    try #require(try twins.0.contactsDiffer(from: twins.1) == false, "\(place)")
                }
                #expect(twins.0.committer.store.tally.fastMessages > 80, "seed \(seed)")
                #expect(twins.1.committer.store.tally.fastMessages == 0)
            }
        }.value()
    }

    /// Each change of a row behind the lane's back, alone: the job is not merged by what was remembered.
    @Test(arguments: TwinScript.interventions)
    func `rows that are not as remembered are read again`(statement: String) throws {
        try follow(statement, before: 3, isFound: true)
    }

    @Test(arguments: TwinScript.indifferent)
    func `rows that say the same in other words are not read again`(statement: String) throws {
        try follow(statement, before: 3, isFound: false)
    }

    /// The fourth progress of an old client tells of its first disk only: what others wrote into the second one's row
    /// stays.
    @Test(arguments: [
        "UPDATE backup_disks SET progress_percent = 1.5 WHERE backup_job_id = '{id}' AND disk_index = 1"
    ])
    func `what is of no account in the row of a disk that is kept stays`(statement: String) throws {
        try follow(statement, before: 4, isFound: false)
    }

    /// Five batches, before one of which somebody changes the row of an old client's job.
    private func follow(_ statement: String, before: Int, isFound: Bool) throws {
        try ThreadRun {
            try DatabaseLibrary.withThread { () throws in
                let twins = try (
                    Twin(isAdopted: false, mayJoin: true), Twin(isAdopted: false, mayJoin: false)
                )
                var script = TwinScript(jobCount: 3)
                let batches = [script.registrations()] + (0..<4).map { _ in script.progress() }
                var second: Int64 = 1_760_000_000
                for (step, batch) in batches.enumerated() {
                    second += 4
                    let answers = try [twins.0, twins.1].map { twin in
                        if step == before {
                            try twin.connection.execute(statement.replacing("{id}", with: "job-1"))
                        }
                        return try twin.commit(batch, atSecond: second)
                    }
                    #expect(answers[0] == answers[1])
                    let rows = try (twins.0.rows(), twins.1.rows())
                    #expect(Twin.difference(rows.0, rows.1) == nil, "step \(step)")
                    let tally = twins.0.committer.store.tally
                    #expect(tally.misses == (step < 3 || !isFound ? 0 : 1), "\(statement), step \(step)")
                    #expect(
                        step < 4 || !isFound
                            ? tally.fastMessages == [0, 0, 3, isFound ? 3 : 6, 9][step]
                            : tally.fastMessages >= 5,
                        "\(statement), step \(step): \(tally)"
                    )
                }
            }
        }.value()
    }

    @Test func `a user who may make no temporary tables stores all the same, and one line says why`() throws {
        try ThreadRun {
            try DatabaseLibrary.withThread { () throws in
                let lines = LogLines()
                let twin = try Twin(isAdopted: false, mayJoin: false, lines: lines)
                var script = TwinScript(jobCount: 3)
                for batch in [script.registrations(), script.progress(), script.progress()] {
                    let answers = try twin.commit(batch, atSecond: 1_760_000_000)
                    #expect(answers.allSatisfy { [.created, .applied].contains($0.verdict) })
                }
                let warnings = lines.all.filter { $0.contains("GRANT CREATE TEMPORARY TABLES") }
                #expect(warnings.count == 1, "\(lines.all)")
            }
        }.value()
    }
}
