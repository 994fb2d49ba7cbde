import Glibc

/// The calls of one connection's socket. None of them blocks.
///
/// `@safe`: pointers live only as long as the call that takes them.
@safe struct DoorSocket {
    /// What a read came to.
    enum Reading {
        case bytes(Int)
        /// Nothing is there now.
        case nothing
        /// The client sends no more, or is gone.
        case end
    }

    let descriptor: Int32

    func read(into buffer: inout [UInt8]) -> Reading {
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe recv(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
            }
            if count > 0 { return .bytes(count) }
            guard count < 0 else { return .end }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .nothing
            default: return .end
            }
        }
    }

    /// Sends as many bytes as there is room for.
    ///
    /// - Returns: how many were sent. nil: the client is gone.
    func send(_ bytes: [UInt8]) -> Int? {
        while true {
            let count = unsafe bytes.withUnsafeBytes {
                let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
                return unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, flags)
            }
            if count >= 0 { return count }
            switch errno {
            case EINTR: continue
            case EAGAIN: return 0
            default: return nil
            }
        }
    }

    func end() { close(descriptor) }
}
