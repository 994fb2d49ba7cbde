import Glibc
import StackSupport
import TestSupport

/// A writer behind a network of its own, and what the network does to its packets.
final class FarWriter: Sendable {
    enum Trouble: String, CaseIterable, Sendable {
        case drop = "drop"
        case dropAnswers = "drop answers"
        case reject = "reject with tcp reset"
        case unreachable = "reject with icmp type host-unreachable"
    }

    static let host = "10.213.0.2"
    private static let near = "10.213.0.1"

    private let holder: pid_t
    private let logPath: String

    /// Makes the network; it goes with the process that holds it.
    init() throws {
        let folder = try Leftovers.newFolder()
        logPath = "\(folder)/network.log"
        holder = try Launcher.start(["unshare", "--net", "sleep", "infinity"], logPath: logPath)
        Leftovers.add(pid: holder)
        // Until `unshare` has done it, its network is ours.
        let isApart = eventually(seconds: 5, everyMilliseconds: 5) {
            Self.network(of: "\(holder)").map { $0 != Self.network(of: "self") } ?? false
        }
        guard isApart else { throw EndToEndError("no network namespace: \(Launcher.logTail(logPath))") }
        for command in [
            "ip link add lab0 type veth peer name lab1 netns \(holder)",
            "ip address add \(Self.near)/24 dev lab0", "ip link set lab0 up",
            "\(inside) ip address add \(Self.host)/24 dev lab1", "\(inside) ip link set lab1 up",
            "\(inside) ip link set lo up", "nft add table ip lab",
            "nft add chain ip lab out { type filter hook output priority 0 ; }",
            "nft add chain ip lab in { type filter hook input priority 0 ; }",
        ] { try run(command) }
    }

    /// The command that puts a program behind that network.
    var prefix: [String] { inside.split(separator: " ").map(String.init) }

    private var inside: String { "nsenter --target \(holder) --net" }

    /// What happens from now on to packets to and from a port there.
    func set(_ trouble: Trouble, port: Int) throws {
        let rule = "tcp dport \(port)"
        switch trouble {
        case .drop: try run("nft add rule ip lab out ip daddr \(Self.host) \(rule) drop")
        case .dropAnswers: try run("nft add rule ip lab in ip saddr \(Self.host) tcp sport \(port) drop")
        case .reject, .unreachable:
            try run("nft add rule ip lab out ip daddr \(Self.host) \(rule) \(trouble.rawValue)")
        }
    }

    /// All packets pass again.
    func heal() throws { try run("nft flush table ip lab") }

    func remove() {
        try? run("nft delete table ip lab")
        kill(holder, SIGKILL)
        _ = waitpid(holder, nil, 0)
        Leftovers.remove(pid: holder)
    }

    private func run(_ command: String) throws {
        try Launcher.run(command.split(separator: " ").map(String.init), logPath: logPath)
    }

    private static func network(of process: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 64)
        let count = unsafe readlink("/proc/\(process)/ns/net", &buffer, buffer.count)
        guard count > 0 else { return nil }
        return String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
