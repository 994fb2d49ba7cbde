import Database
import Glibc
import ServiceKit
import Synchronization
import Threading

/// A subcommand's work: on a thread of its own, since a connection blocks it and belongs to it.
enum OneShot {
    /// Runs the body to its end.
    static func run(name: String, _ body: @escaping @Sendable () throws -> Void) async throws {
        let result = Mutex<Result<Void, any Error>?>(nil)
        let thread = DedicatedThread(name: name) {
            let outcome = Result { try DatabaseLibrary.withThread { try body() } }
            result.withLock { $0 = outcome }
        }
        await thread.ended()
        try result.withLock { try $0?.get() }
        // `print` says nothing of a full disk.
        guard fflush(nil) == 0 else {
            throw ProgramEnd(status: 1, "the output could not be written (errno \(errno))")
        }
    }
}
