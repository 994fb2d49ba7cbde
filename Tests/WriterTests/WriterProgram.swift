import Database
import Foundation
import Glibc

/// The writer as it is built, run to its end.
enum WriterProgram {
    /// What a run left behind.
    struct Output: Sendable {
        var status: Int32
        var text: String
        var errorText: String
    }

    /// Runs the writer on a database. Blocks until it has ended.
    /// - Parameters:
    ///   - arguments: subcommand and settings.
    ///   - settings: the database, reached by its socket.
    ///   - output: the file for its output, which is not read then. nil: one of its own.
    /// - Returns: its exit status and output.
    /// - Throws: an error where it cannot be started.
    static func run(
        _ arguments: [String],
        on settings: DatabaseSettings,
        output: String? = nil
    ) throws -> Output {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for (descriptor, file) in [(Int32(1), output ?? "\(folder)/out"), (2, "\(folder)/err")] {
            unsafe posix_spawn_file_actions_addopen(&actions, descriptor, file, O_WRONLY | O_CREAT, 0o600)
        }
        let environment = [
            "SENDENSE_DATABASE_SOCKET=\(settings.socketPath ?? "")",
            "SENDENSE_DATABASE_NAME=\(settings.database)", "SENDENSE_DATABASE_USER=\(settings.user)",
            "SENDENSE_DATABASE_PASSWORD=\(settings.password)",
        ]
        var vector = unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
        var variables = unsafe environment.map { unsafe strdup($0) } + [nil]
        defer { unsafe (vector + variables).forEach { unsafe free($0) } }
        var pid: pid_t = 0
        let code = unsafe posix_spawn(&pid, path, &actions, nil, &vector, &variables)
        guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: code) ?? .ENOENT) }
        var status: Int32 = 0
        while unsafe waitpid(pid, &status, 0) == -1, errno == EINTR {}
        return Output(
            // wait(2): the low seven bits are the signal that ended it.
            status: status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F),
            text: output == nil ? try String(contentsOfFile: "\(folder)/out", encoding: .utf8) : "",
            errorText: try String(contentsOfFile: "\(folder)/err", encoding: .utf8)
        )
    }

    /// Programs are built into the folder of the tests.
    private static var path: String {
        let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        return own.deletingLastPathComponent().appendingPathComponent("sendense-writer").path
    }
}
