/// What a hook runs.
enum HookCommand: Equatable, Sendable {
    /// A text for `/bin/sh -c`, as it is: nothing is put into it.
    case shell(String)
    /// A program and its arguments, without a shell.
    case program([String])

    /// The program and its arguments.
    var arguments: [String] {
        switch self {
        case .shell(let text): ["/bin/sh", "-c", text]
        case .program(let arguments): arguments
        }
    }
}

/// A VM's hooks: what makes its snapshot, and what lets go of it.
struct SnapshotHooks: Equatable, Sendable {
    static let timeoutSecondsRange = 1...86_400

    var snapshot: HookCommand?
    var release: HookCommand?
    /// How long either may take.
    var timeoutSeconds = 300
}
