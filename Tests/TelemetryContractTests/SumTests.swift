import JobModel
import Testing

@testable import TelemetryContract

@Suite struct SumTests {
    private static let half = Int64.max / 2 + 1

    private func problems(_ body: () throws -> Void) -> [Problem] {
        do {
            try body()
            return []
        } catch {
            return (error as? ContractError)?.problems ?? []
        }
    }

    @Test(arguments: [0, half - 2, half])
    func `disks whose sum the job could not hold are refused by name`(second: Int64) throws {
        let jobID = try #require(JobID("j"))
        let registration = """
            {"job_id":"j","vm_name":"v","backup_type":"full","disks":[{"disk_index":0,"total_bytes":\(Self.half)},\
            {"disk_index":1,"total_bytes":\(second)}]}
            """
        let report = """
            {"job_id":"j","job_type":"backup","status":"running","current_phase":"x","bytes_transferred":0,\
            "total_bytes":0,"disks":[{"disk_index":0,"bytes_transferred":\(Self.half),"status":"running"},\
            {"disk_index":1,"bytes_transferred":\(second),"status":"running"}]}
            """
        let expected = second == Self.half ? ["/disks"] : []
        let refusedRegistration = problems {
            _ = try TelemetryDecoder.registration(body: Array(registration.utf8).span)
        }
        #expect(refusedRegistration.map(\.pointer) == expected)
        let refusedReport = problems {
            _ = try TelemetryDecoder.report(body: Array(report.utf8).span, jobType: "backup", jobID: jobID)
        }
        #expect(refusedReport.map(\.pointer) == expected)
    }
}
