import Foundation
import Glibc

extension Results {
    init(_ options: BenchOptions, mariadb: String) {
        var name = utsname()
        unsafe uname(&name)
        let kernel = unsafe withUnsafeBytes(of: &name.release) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        #if DEBUG
        let configuration = "debug"
        #else
        let configuration = "release"
        #endif
        self.init(
            date: ISO8601DateFormatter().string(from: Date()),
            machine: Machine(
                cores: Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))),
                memoryGibibytes: Double(ProcessInfo.processInfo.physicalMemory) / Double(1 << 30),
                kernel: kernel,
                mariadb: mariadb,
                configuration: configuration
            ),
            options: [
                "ONLY": options.parts.map(\.rawValue).joined(separator: ","),
                "ROUNDS": "\(options.roundCount)", "SECONDS": "\(Int(options.seconds))",
                "CLIENTS": options.clientCounts.map { "\($0)" }.joined(separator: ","),
                "JOBS": "\(options.jobCount)", "STALE_JOBS": "\(options.staleJobCount)",
                "GROWTH_JOBS": "\(options.growthJobCount)", "SEED": "\(options.seed)",
            ]
        )
    }

    /// Writes the file, with its names in order, so that two of them can be compared line by line.
    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(self).write(to: URL(fileURLWithPath: path))
    }
}
