import Foundation
public import JobModel
internal import TelemetryContract

/// Foundation's JSONDecoder beside our decoder: it shares no code with our reader.
///
/// What Foundation cannot parse we have to refuse as malformed; what it can parse we have to parse too, and
/// decode to the same values. The exceptions are where we are stricter on purpose: a name that occurs
/// twice, a comma before a closing brace or bracket, a byte order mark, other encodings than UTF-8, the
/// limits on depth, members, elements and string length; and where Foundation's Decimal ends: beyond
/// 10^127, and behind 38 digits.
public struct ContractOracle {
    /// How the two readings compare.
    public enum Finding: Equatable, Sendable {
        /// Both took it, with the same values.
        case agreed
        /// Ours refused it, and had a reason; or Foundation's numbers end before ours.
        case refused
        /// They do not agree; in words, which way.
        case disagreed(String)
    }

    private let bytes: [UInt8]
    private let tree: JSONTree?

    /// Prepares to judge what is decoded from a body.
    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
        tree = JSONTree(parsing: bytes)
    }

    /// Judges the decoding of a telemetry message.
    public func report(jobType: String, jobID: JobID) -> Finding {
        compare { () throws(ContractError) in
            try TelemetryDecoder.report(body: bytes.span, jobType: jobType, jobID: jobID)
        } agrees: { report, members in
            agrees(report, members)
        } mayRefuse: { place, name -> Bool in
            switch name {
            case "job_id": text(place) != jobID.rawValue
            case "job_type": text(place) != jobType
            default: Self.mayRefuseReport(name, place)
            }
        }
    }

    /// Judges the decoding of a disk's completion.
    public func completion(jobID: JobID) -> Finding {
        compare { () throws(ContractError) in
            try TelemetryDecoder.completion(body: bytes.span, jobID: jobID)
        } agrees: { completion, members in
            sameText(completion.changeID, members["change_id"])
                && same(Int64(completion.diskIndex), members["disk_id"], or: 0)
                && same(completion.bytes, members["bytes_transferred"], or: 0)
                && same(completion.attempt, members["attempt"])
        } mayRefuse: { place, name -> Bool in
            switch name {
            case "change_id": !Self.hasScalars(place, 1...DiskCompletion.changeIDScalarCountMax)
            case "disk_id": !Self.isWhole(place, 0...65_535)
            default: Self.mayRefuseReport(name, place)
            }
        }
    }

    /// Judges the decoding of a request to cancel.
    public func cancelRequest(jobID: JobID) -> Finding {
        if bytes.isEmpty {
            let request = try? TelemetryDecoder.cancelRequest(body: bytes.span, jobID: jobID)
            return request == CancelRequest(jobID: jobID) ? .agreed : .disagreed("an empty body is refused")
        }
        return compare { () throws(ContractError) in
            try TelemetryDecoder.cancelRequest(body: bytes.span, jobID: jobID)
        } agrees: { request, members in
            sameText(request.reason, members["reason"])
        } mayRefuse: { place, name in
            name != "reason" || !Self.hasScalars(place, 1...CancelRequest.reasonScalarCountMax)
        }
    }

    /// Judges the decoding of a registration.
    public func registration() -> Finding {
        compare { () throws(ContractError) in
            try TelemetryDecoder.registration(body: bytes.span)
        } agrees: { registration, members in
            agrees(registration, members)
        } mayRefuse: { place, name -> Bool in
            switch name {
            case "job_id": text(place).flatMap({ JobID($0) }) == nil
            case "vm_name": !Self.hasScalars(place, 1...Registration.vmNameScalarCountMax)
            case "repository_id": !Self.hasScalars(place, 1...Registration.repositoryIDScalarCountMax)
            case "backup_type": text(place).flatMap(BackupType.init) == nil
            case "disks": true
            default: Self.mayRefuseReport(name, place)
            }
        }
    }

    private func text(_ place: JSONTree.Place) -> String? {
        guard case .value(let tree) = place else { return nil }
        return tree.text
    }

    // MARK: Comparing

    private func compare<Message>(
        _ decode: () throws(ContractError) -> Message,
        agrees: (Message, [String: JSONTree]) -> Bool,
        mayRefuse: (JSONTree.Place, _ name: String) -> Bool
    ) -> Finding {
        do throws(ContractError) {
            let message = try decode()
            guard let tree else {
                return isBeyondDecimal ? .refused : .disagreed("Foundation cannot parse what was decoded")
            }
            guard let members = tree.members else { return .disagreed("decoded, but no object") }
            if isBeyondDecimal || agrees(message, members) { return .agreed }
            return .disagreed("decoded as \(message), Foundation reads \(members)")
        } catch {
            return judge(error, mayRefuse)
        }
    }

    private func judge(
        _ error: ContractError,
        _ mayRefuse: (JSONTree.Place, _ name: String) -> Bool
    ) -> Finding {
        guard !error.problems.isEmpty, error.problems.allSatisfy({ !$0.detail.isEmpty }) else {
            return .disagreed("refused without a reason")
        }
        if error.kind == .malformed {
            guard error.problems.count == 1, error.problems[0].pointer.isEmpty else {
                return .disagreed("malformed, with the problems \(error.problems)")
            }
            return tree == nil || isStricter(error) ? .refused : .disagreed("refused: \(error)")
        }
        guard let tree else {
            return isBeyondDecimal ? .refused : .disagreed("Foundation cannot parse what was read")
        }
        for problem in error.problems {
            guard let place = tree.find(pointer: problem.pointer) else {
                return .disagreed("\(problem.pointer) names nothing in the body")
            }
            let name = problem.pointer.split(separator: "/").last.map(String.init) ?? ""
            guard isBeyondDecimal || name.isEmpty || place == .missing || mayRefuse(place, name) else {
                return .disagreed("\(problem) is refused, \(place) is right")
            }
        }
        return .refused
    }

    /// Whether the fault is one that Foundation does not know.
    private func isStricter(_ error: ContractError) -> Bool {
        let detail = error.problems.first?.detail ?? ""
        // Foundation takes a comma before a closing brace or bracket.
        if detail.contains("is due") || detail.contains("begins no value"),
            let offset = detail.split(separator: " ").last.flatMap({ Int($0) }),
            bytes.indices.contains(offset)
        {
            let before = bytes[..<offset].last { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
            let closes = [UInt8(ascii: "}"), UInt8(ascii: "]")].contains(bytes[offset])
            if closes, before == UInt8(ascii: ",") { return true }
        }
        // Foundation guesses UTF-16 and UTF-32 by the first bytes.
        if bytes.prefix(4).contains(where: { $0 == 0 || $0 >= 0xEF }) { return true }
        return ["occurs twice", "nested deeper", "has more than", "byte order mark"].contains {
            detail.contains($0)
        }
    }

    /// Whether a number may be one that Decimal does not hold exactly: an exponent of three digits, or 30
    /// digits.
    private var isBeyondDecimal: Bool {
        var digitCount = 0
        var isExponent = false
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                digitCount += 1
                if digitCount >= (isExponent ? 3 : 30) { return true }
            case UInt8(ascii: "."):
                break
            case UInt8(ascii: "e"), UInt8(ascii: "E"):
                isExponent = digitCount > 0
                digitCount = 0
            case UInt8(ascii: "+"), UInt8(ascii: "-"):
                break
            default:
                digitCount = 0
                isExponent = false
            }
        }
        return false
    }
}
