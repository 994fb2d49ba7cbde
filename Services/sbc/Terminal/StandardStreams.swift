internal import Glibc

/// The three standard streams of the process.
enum StandardStreams {
    /// Opens those that whoever started us had closed, on nothing. Call it before anything else is opened: a disk
    /// would take a closed stream's number, and what is written to that stream would become the disk's content.
    static func open() {
        for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) == -1 {
            // The lowest free number, which is this one: those below are open.
            guard unsafe Glibc.open("/dev/null", O_RDWR) == number else { Glibc.exit(ExitStatus.usage) }
        }
    }
}
