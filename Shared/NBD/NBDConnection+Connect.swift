internal import CNBD
internal import Glibc

extension NBDConnection {
    /// The most that a unix socket may hold of what we send, in bytes. With the kernel's 208 KiB a request of
    /// 256 KiB wakes the server twice and us once more.
    private static let sendBufferLength: Int32 = 2 << 20
    private static let sliceMilliseconds: Int32 = 50

    @unsafe static func configure(_ handle: OpaquePointer, contexts: [String]) throws(NBDError) {
        for context in contexts {
            guard unsafe nbd_add_meta_context(handle, context) == 0 else {
                throw NBDError(last: "nbd_add_meta_context")
            }
        }
        // Buffers are read only where a read has gone well, so libnbd need not clear them before.
        guard unsafe nbd_set_pread_initialize(handle, false) == 0 else {
            throw NBDError(last: "nbd_set_pread_initialize")
        }
        // The certificates of nbds:// are named in the URI, which comes from the operator.
        guard unsafe nbd_set_uri_allow_local_file(handle, true) == 0 else {
            throw NBDError(last: "nbd_set_uri_allow_local_file")
        }
    }

    @unsafe static func connect(
        _ handle: OpaquePointer,
        uri: String,
        timeoutMilliseconds: Int,
        isStopped: () -> Bool
    ) throws(NBDError) {
        guard unsafe nbd_aio_connect_uri(handle, uri) == 0 else {
            throw NBDError(last: "nbd_aio_connect_uri")
        }
        let deadline = ContinuousClock.now + .milliseconds(timeoutMilliseconds)
        while unsafe nbd_aio_is_ready(handle) == 0 {
            guard !isStopped() else {
                throw NBDError(operation: "nbd_aio_connect_uri", code: ECANCELED, message: "it was stopped")
            }
            guard ContinuousClock.now < deadline else {
                throw NBDError(
                    operation: "nbd_aio_connect_uri",
                    code: ETIMEDOUT,
                    message: "the server did not answer within \(timeoutMilliseconds) ms"
                )
            }
            guard unsafe nbd_poll(handle, sliceMilliseconds) >= 0 else {
                throw NBDError(last: "nbd_aio_connect_uri")
            }
            guard unsafe nbd_aio_is_dead(handle) == 0, unsafe nbd_aio_is_closed(handle) == 0 else {
                throw NBDError(
                    operation: "nbd_aio_connect_uri",
                    code: ECONNRESET,
                    message: "the server closed the connection"
                )
            }
        }
        unsafe enlargeSendBuffer(nbd_aio_get_fd(handle))
    }

    /// Of a unix socket only: TCP sizes its own. What the system does not allow stays as it is.
    private static func enlargeSendBuffer(_ descriptor: Int32) {
        var address = sockaddr()
        var length = socklen_t(MemoryLayout<sockaddr>.size)
        guard unsafe getsockname(descriptor, &address, &length) == 0, address.sa_family == AF_UNIX else {
            return
        }
        var bytes = sendBufferLength
        _ = unsafe setsockopt(
            descriptor,
            SOL_SOCKET,
            SO_SNDBUF,
            &bytes,
            socklen_t(MemoryLayout<Int32>.size)
        )
    }
}

extension NBDExport {
    /// Asks a connected handle.
    @unsafe init(_ handle: OpaquePointer, asked: [String]) throws(NBDError) {
        let size = unsafe nbd_get_size(handle)
        guard size >= 0 else { throw NBDError(last: "nbd_get_size") }
        let minimum = unsafe nbd_get_block_size(handle, LIBNBD_SIZE_MINIMUM)
        let preferred = unsafe nbd_get_block_size(handle, LIBNBD_SIZE_PREFERRED)
        let maximum = unsafe nbd_get_block_size(handle, LIBNBD_SIZE_MAXIMUM)
        self.init(
            size: size,
            blockSizeMin: max(1, minimum),
            blockSizePreferred: preferred > 0 ? preferred : nil,
            blockSizeMax: maximum > 0 ? maximum : nil,
            isReadOnly: unsafe nbd_is_read_only(handle) == 1,
            canMultiConn: unsafe nbd_can_multi_conn(handle) == 1,
            canFlush: unsafe nbd_can_flush(handle) == 1,
            canFUA: unsafe nbd_can_fua(handle) == 1,
            canZero: unsafe nbd_can_zero(handle) == 1,
            canTrim: unsafe nbd_can_trim(handle) == 1,
            hasStructuredReplies: unsafe nbd_get_structured_replies_negotiated(handle) == 1,
            contexts: Set(asked.filter { unsafe nbd_can_meta_context(handle, $0) == 1 })
        )
    }
}
