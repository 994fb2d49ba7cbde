internal import Glibc

/// Names this run of the machine: monotonic times of one run say nothing in another.
public enum BootID {
    /// The kernel's random id; "" where there is none.
    public static let current: String = {
        let file = unsafe open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = unsafe read(file, &bytes, bytes.count)
        return String(
            decoding: bytes.prefix(max(count, 0)).prefix { $0 != UInt8(ascii: "\n") },
            as: UTF8.self
        )
    }()
}
