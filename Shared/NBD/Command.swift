internal import CNBD
internal import Glibc

/// Hears how commands end. It is called on the thread that moves the connection along, in the middle of one of
/// libnbd's calls: it may issue commands on *other* connections, but never on the one that called it, whose lock is
/// held.
public protocol NBDListener: AnyObject {
    /// A command has ended.
    ///
    /// - Parameters:
    ///   - token: what the command was given.
    ///   - errorNumber: the errno; 0 if it went well.
    func ended(token: Int, errorNumber: Int32)

    /// A block status told of a context; it may do so several times before its command ends.
    func told(token: Int, context: String, extents: [NBDExtent])
}

extension NBDListener {
    /// Nothing: for who asks for no block status.
    public func told(token: Int, context: String, extents: [NBDExtent]) {}
}

/// What one command in flight holds on to: libnbd has a reference until it calls `free`.
final class Command {
    private let token: Int
    /// It owns the connection, which would keep it alive for ever otherwise; libnbd calls back only from the calls
    /// that it makes.
    private unowned let listener: any NBDListener
    /// The memory that the command reads or writes.
    private let buffer: RequestBuffer?

    private init(token: Int, listener: any NBDListener, buffer: RequestBuffer?) {
        self.token = token
        self.listener = listener
        self.buffer = buffer
    }

    /// The callback of a command that ends. libnbd calls `free` in every case, also where it refuses the
    /// command, so the reference that is made here is always given back.
    static func completion(
        token: Int,
        listener: any NBDListener,
        buffer: RequestBuffer? = nil
    ) -> nbd_completion_callback {
        let command = Command(token: token, listener: listener, buffer: buffer)
        return unsafe nbd_completion_callback(
            callback: { context, error in
                guard let context = unsafe context else { return 1 }
                let command = unsafe Unmanaged<Command>.fromOpaque(context).takeUnretainedValue()
                unsafe command.listener.ended(token: command.token, errorNumber: error?.pointee ?? 0)
                // 1: libnbd forgets the command, nobody asks for it again.
                return 1
            },
            user_data: Unmanaged.passRetained(command).toOpaque(),
            free: { unsafe Command.release($0) }
        )
    }

    /// The callback of a block status that tells of a context.
    static func extents(token: Int, listener: any NBDListener) -> nbd_extent_callback {
        let command = Command(token: token, listener: listener, buffer: nil)
        return unsafe nbd_extent_callback(
            callback: { context, name, _, entries, count, _ in
                guard let context = unsafe context, let name = unsafe name, let entries = unsafe entries
                else { return 0 }
                let command = unsafe Unmanaged<Command>.fromOpaque(context).takeUnretainedValue()
                // Pairs of a length and its flags.
                let extents = stride(from: 0, to: count - count % 2, by: 2).map { index in
                    NBDExtent(
                        length: Int64(unsafe entries[index]),
                        flags: unsafe entries[index + 1]
                    )
                }
                command.listener.told(
                    token: command.token,
                    context: unsafe String(cString: name),
                    extents: extents
                )
                return 0
            },
            user_data: Unmanaged.passRetained(command).toOpaque(),
            free: { unsafe Command.release($0) }
        )
    }

    @unsafe private static func release(_ context: UnsafeMutableRawPointer?) {
        guard let context = unsafe context else { return }
        unsafe Unmanaged<Command>.fromOpaque(context).release()
    }
}
