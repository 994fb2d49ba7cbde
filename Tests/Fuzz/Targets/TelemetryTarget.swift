import Foundation
import JobModel
import TelemetryContract
import TestSupport

/// The decoder of the JSON bodies over hostile bytes, with Foundation as the oracle.
///
/// An input is a letter for the kind of body (`r`eport, `c`ompletion, re`g`istration, cancel `x`) and the
/// body. A body alone is a report's.
enum TelemetryTarget {
    static func check(_ input: [UInt8]) throws {
        guard let jobID = JobID("backup-pgtest1-1760099999") else { return }
        let body = Array(input.dropFirst())
        let oracle = ContractOracle(input.first == UInt8(ascii: "{") ? input : body)
        let finding: ContractOracle.Finding
        switch input.first {
        case UInt8(ascii: "c"): finding = oracle.completion(jobID: jobID)
        case UInt8(ascii: "g"): finding = oracle.registration()
        case UInt8(ascii: "x"): finding = oracle.cancelRequest(jobID: jobID)
        default: finding = oracle.report(jobType: "backup", jobID: jobID)
        }
        if case .disagreed(let how) = finding { throw Finding(how) }
        try checkDocument(body, jobID)
    }

    /// What the client is told of a refusal is JSON and names the same members.
    private static func checkDocument(_ body: [UInt8], _ jobID: JobID) throws {
        do throws(ContractError) {
            _ = try TelemetryDecoder.report(body: body.span, jobType: "backup", jobID: jobID)
        } catch {
            let json = ProblemDocument(error).json(legacyMilliseconds: 1_760_099_999_000)
            guard let tree = JSONTree(parsing: json), let told = tree.members?["errors"]?.elements else {
                throw Finding("no problem document: \(String(decoding: json, as: UTF8.self))")
            }
            let pointers = told.map { $0.members?["pointer"]?.text }
            try Finding.unless(
                pointers == error.problems.map(\.pointer),
                "the document names \(pointers), not \(error.problems.map(\.pointer))"
            )
        }
    }
}
