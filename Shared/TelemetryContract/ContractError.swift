public import JobModel

/// A body that the contract refuses, with everything that is wrong with it.
public struct ContractError: Error, Equatable, Sendable {
    /// What kind of refusal it is. Both are the client's fault: 400.
    public enum Kind: Sendable {
        /// Not JSON, or beyond the limits on its shape. One problem, whose detail tells the byte.
        case malformed
        /// JSON that says something the contract does not allow. One problem for each member at fault.
        case invalid
    }

    /// What kind of refusal it is.
    public var kind: Kind
    /// What is wrong and what would be right; never empty.
    public var problems: [Problem]

    /// Creates an error from its parts.
    public init(_ kind: Kind, problems: [Problem]) {
        self.kind = kind
        self.problems = problems
    }

    init(_ fault: JSONFault) {
        let detail = "the body is not valid JSON: \(fault.reason), at byte \(fault.offset)"
        self.init(.malformed, problems: [Problem(pointer: "", detail: detail)])
    }
}
