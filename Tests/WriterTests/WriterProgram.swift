import Database
import Foundation
import TestSupport

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
        let pid = try Spawn.start(
            [path] + arguments,
            environment: [
                "SENDENSE_DATABASE_SOCKET": settings.socketPath ?? "",
                "SENDENSE_DATABASE_NAME": settings.database, "SENDENSE_DATABASE_USER": settings.user,
                "SENDENSE_DATABASE_PASSWORD": settings.password,
            ],
            outputPath: output ?? "\(folder)/out",
            errorPath: "\(folder)/err"
        )
        return Output(
            status: Spawn.wait(for: pid),
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
