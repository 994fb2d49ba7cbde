import JobModel
import Testing

@testable import Writer

/// How long a lane waits for company.
@Suite struct PatienceTests {
    private func progress(at milliseconds: Int64) throws -> LaneWork {
        let id = try #require(JobID("job"))
        let report = Report(jobID: id, status: .running, phase: "transferring", bytes: 1, total: nil, seq: 1)
        return work(.report(report), milliseconds)
    }

    private func work(_ message: JobMessage, _ milliseconds: Int64) -> LaneWork {
        .message(LaneItem(sender: [], messageID: 1, message: message, receivedMilliseconds: milliseconds))
    }

    /// A lane that had something to store at 1000.
    private func busy() -> Patience {
        var patience = Patience(lingerMilliseconds: 100)
        patience.workGoes(nowMilliseconds: 1000)
        patience.workCame(nowMilliseconds: 1050)
        return patience
    }

    @Test func `progress waits as long as more comes, and no longer than the linger`() throws {
        let patience = busy()
        var work = [try progress(at: 1050)]
        #expect(patience.rest(work, nowMilliseconds: 1050) == 40)
        #expect(patience.rest(work, nowMilliseconds: 1089) == 1)
        #expect(patience.rest(work, nowMilliseconds: 1090) == nil)
        work.append(try progress(at: 1085))
        #expect(patience.rest(work, nowMilliseconds: 1090) == 35)
        work.append(try progress(at: 1120))
        #expect(patience.rest(work, nowMilliseconds: 1130) == 20)
        #expect(patience.rest(work, nowMilliseconds: 1150) == nil)
    }

    @Test func `what waited elsewhere waits the less here`() throws {
        #expect(busy().rest([try progress(at: 1000), try progress(at: 1049)], nowMilliseconds: 1050) == 39)
        #expect(busy().rest([try progress(at: 950), try progress(at: 1049)], nowMilliseconds: 1050) == nil)
    }

    @Test func `a full batch waits for nobody`() throws {
        let company = try (0..<Patience.companyCount).map { _ in try progress(at: 1050) }
        #expect(busy().rest(Array(company.dropLast()), nowMilliseconds: 1050) == 40)
        #expect(busy().rest(company, nowMilliseconds: 1050) == nil)
    }

    @Test func `more than progress goes at once, with all that waits`() throws {
        let id = try #require(JobID("job"))
        let completion = DiskCompletion(jobID: id, diskIndex: 0, changeID: "c", bytes: 0)
        let some = [try progress(at: 1050), work(.completion(completion), 1050)]
        #expect(busy().rest(some, nowMilliseconds: 1050) == nil)
    }

    @Test func `what comes after a pause goes at once`() throws {
        var patience = Patience(lingerMilliseconds: 100)
        patience.workCame(nowMilliseconds: 1000)
        #expect(patience.rest([try progress(at: 1000)], nowMilliseconds: 1000) == nil)
        patience.workGoes(nowMilliseconds: 1000)
        patience.workCame(nowMilliseconds: 1100)
        #expect(patience.rest([try progress(at: 1100)], nowMilliseconds: 1100) == nil)
        patience.workGoes(nowMilliseconds: 1100)
        patience.workCame(nowMilliseconds: 1199)
        #expect(patience.rest([try progress(at: 1199)], nowMilliseconds: 1199) == 40)
    }
}
