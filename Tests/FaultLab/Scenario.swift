/// One kind of trouble, and what it is to show.
struct Scenario: Sendable {
    /// What this machine must offer; without it the scenario is left out, and the lab says why.
    enum Need: Sendable {
        /// A network and mounts of the lab's own: root, or a kernel that lets users have them.
        case namespaces
        /// A program or library that one of the lab's packages brings.
        case file(String, package: String)
    }

    /// As `SCENARIO=` takes it.
    var name: String
    /// One line.
    var summary: String
    var needs: [Need] = []
    /// Makes the trouble, and compares.
    var run: @Sendable (Trial) throws -> Void
}
