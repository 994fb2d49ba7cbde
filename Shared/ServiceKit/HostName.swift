internal import Glibc

/// The name of this machine.
public enum HostName {
    /// As the kernel has it; "localhost" if it has none.
    public static var current: String {
        var system = utsname()
        guard unsafe uname(&system) == 0 else { return "localhost" }
        let name = unsafe withUnsafeBytes(of: &system.nodename) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return name.isEmpty ? "localhost" : name
    }
}
