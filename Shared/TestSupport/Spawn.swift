import Foundation
package import Glibc

/// Starts programs for tests, with their output in files, and waits for their ends.
///
/// The backup client starts its hooks by code of its own: groups and pipes of its own are all that matters there, and it
/// links nothing of the tests.
package enum Spawn {
    /// Above all descriptors that this process has.
    private static let descriptorEnd: Int32 = 256

    /// Starts a program without input. No signal is blocked for it, though this process may have some blocked.
    ///
    /// - Parameters:
    ///   - arguments: the program, searched in PATH, and its arguments.
    ///   - environment: all of its variables. nil: this process's.
    ///   - outputPath: the file of its standard output.
    ///   - errorPath: that of its standard error. nil: the same.
    ///   - isAppending: whether what the files have stays.
    /// - Returns: its process.
    /// - Throws: `TestSupportError` with the system's words.
    package static func start(
        _ arguments: [String],
        environment: [String: String]? = nil,
        outputPath: String,
        errorPath: String? = nil,
        isAppending: Bool = false
    ) throws(TestSupportError) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        let flags = O_WRONLY | O_CREAT | (isAppending ? O_APPEND : O_TRUNC)
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, outputPath, flags, 0o600)
        if let errorPath {
            unsafe posix_spawn_file_actions_addopen(&actions, 2, errorPath, flags, 0o600)
        } else {
            unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        }
        // A file that another test has open just now would be open in the program for all its life, and look used.
        // One that is not open is no error.
        for number in 3..<descriptorEnd { unsafe posix_spawn_file_actions_addclose(&actions, number) }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let variables = (environment ?? ProcessInfo.processInfo.environment).map { "\($0)=\($1)" }
        var argumentVector = unsafe arguments.map { unsafe strdup($0) } + [nil]
        var environmentVector = unsafe variables.map { unsafe strdup($0) } + [nil]
        defer { unsafe (argumentVector + environmentVector).forEach { unsafe free($0) } }
        var pid: pid_t = 0
        let code = unsafe posix_spawnp(
            &pid,
            arguments[0],
            &actions,
            &attributes,
            &argumentVector,
            &environmentVector
        )
        guard code == 0 else {
            throw TestSupportError("cannot start \(arguments[0]): \(unsafe String(cString: strerror(code)))")
        }
        return pid
    }

    /// Waits for a program's end.
    ///
    /// - Returns: its exit status, as the shell has it: 128 and more is a signal.
    package static func wait(for pid: pid_t) -> Int32 {
        var status: Int32 = 0
        while unsafe waitpid(pid, &status, 0) == -1, errno == EINTR {}
        return exitStatus(status)
    }

    /// What the shell makes of a status of waitpid.
    package static func exitStatus(_ status: Int32) -> Int32 {
        // wait(2): the low seven bits are the signal that ended it, 0 if none did.
        status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
    }
}
