import Foundation
import Glibc
import StackSupport

/// Memory of processes.
enum Memory {
    /// The most that a process has held since its start or the last `forgetPeak`, in bytes.
    ///
    /// - Throws: `EndToEndError` where there is no such process.
    static func peakByteCount(of pid: pid_t) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        guard let kibibytes = line?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw EndToEndError("process \(pid) tells no peak of its memory")
        }
        return kibibytes * 1024
    }

    /// Lets a process's peak begin anew with what it holds now (proc(5), clear_refs).
    static func forgetPeak(of pid: pid_t) throws {
        try "5".write(toFile: "/proc/\(pid)/clear_refs", atomically: false, encoding: .utf8)
    }
}
