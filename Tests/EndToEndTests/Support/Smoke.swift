import Foundation
import StackSupport

extension Command {
    /// Runs a command of `./dev` that is no test, on this build's binaries, in a small form.
    ///
    /// - Parameters:
    ///   - command: the command.
    ///   - variables: its settings.
    ///   - seconds: how long it may take; it is killed then.
    /// - Returns: its output and its end.
    /// - Throws: `EndToEndError` with its output if it takes longer.
    static func smoke(_ command: String, _ variables: [String: String], seconds: Int) throws -> Output {
        let own = ["SENDENSE_BIN_DIR": Stack.binaries, "SKIP_BUILD": "1", "NO_INSTALL": "1"]
        return try run(
            [Stack.root + "/dev", command] + variables.map { "\($0)=\($1)" },
            environment: ProcessInfo.processInfo.environment.merging(own) { $1 },
            folder: try StackFolder.path(command),
            seconds: seconds
        )
    }
}
