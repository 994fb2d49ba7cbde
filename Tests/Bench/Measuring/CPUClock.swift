// Its timespec hides that of Glibc in all of this module.
import CEpoll
import Foundation
import Glibc
import StackSupport

/// CPU time, of processes and of the machine.
enum CPUClock {
    /// Nanoseconds of CPU that a process has used, user and system, all its threads.
    ///
    /// - Throws: `EndToEndError` where there is no such process.
    static func nanoseconds(of pid: pid_t) throws -> Int64 {
        var clock = clockid_t()
        guard unsafe clock_getcpuclockid(pid, &clock) == 0 else {
            throw EndToEndError("process \(pid) is gone")
        }
        return nanoseconds(clock)
    }

    /// Nanoseconds of CPU that this process has used.
    static var ownNanoseconds: Int64 { nanoseconds(CLOCK_PROCESS_CPUTIME_ID) }

    /// Nanoseconds in which the machine's cores were at work, what its host took among it; since boot, to 10 ms.
    static func machineBusyNanoseconds() throws -> Int64 {
        let text = try String(contentsOfFile: "/proc/stat", encoding: .utf8)
        // cpu user nice system idle iowait irq softirq steal (proc(5)); guest time is within user time.
        let fields = text.prefix { $0 != "\n" }.split(separator: " ").dropFirst().prefix(8)
            .compactMap { Int64($0) }
        guard fields.count == 8 else { throw EndToEndError("/proc/stat begins with: \(text.prefix(80))") }
        let ticks = fields.reduce(0, +) - fields[3] - fields[4]
        return ticks * (1_000_000_000 / Int64(sysconf(Int32(_SC_CLK_TCK))))
    }

    private static func nanoseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
