import Foundation
import Glibc
import TestSupport

/// A terminal of a test's own, of any size.
final class PseudoTerminal: Sendable {
    /// TIOCSPTLCK and TIOCGPTN of ioctl_tty(2), which Swift does not import.
    private static let setLock: UInt = 0x4004_5431
    private static let getNumber: UInt = 0x8004_5430

    /// The end for programs to write to.
    let path: String
    private let master: Int32

    /// - Throws: `TestSupportError` where the system gives none.
    init(columns: UInt16) throws {
        master = unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var lock: Int32 = 0
        var number: UInt32 = 0
        guard master >= 0, unsafe ioctl(master, Self.setLock, &lock) == 0,
            unsafe ioctl(master, Self.getNumber, &number) == 0
        else { throw TestSupportError("there is no terminal: errno \(errno)") }
        path = "/dev/pts/\(number)"
        resize(columns: columns)
    }

    deinit { close(master) }

    func resize(columns: UInt16) {
        var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = unsafe ioctl(master, UInt(TIOCSWINSZ), &size)
    }

    /// What is written to it until that is enough, or until no program has it open any more.
    func read(until isEnough: (String) -> Bool = { _ in false }) -> String {
        var bytes: [UInt8] = []
        while true {
            let text = String(decoding: bytes, as: UTF8.self)
            if isEnough(text) { return text }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = unsafe Glibc.read(master, &buffer, buffer.count)
            guard count > 0 else { return text }
            bytes += buffer[..<count]
        }
    }
}
