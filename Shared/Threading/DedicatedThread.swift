internal import Glibc
internal import Synchronization

/// A thread of its own for work that blocks: a socket, a database connection, a copy loop.
///
/// Swift's cooperative pool has one thread per core, so nothing may block there.
public final class DedicatedThread: Sendable {
    private let finished = Latch()
    /// The name that `ps -L` and a debugger show; cut to 15 bytes.
    public let name: String

    /// Starts a thread that runs `body` once.
    ///
    /// - Precondition: the system can start one more thread; it traps where it cannot, since no service
    ///   can do its work without its threads.
    public init(name: String, _ body: @escaping @Sendable () -> Void) {
        self.name = name
        let finished = finished
        let start = Start(name: name) {
            body()
            finished.open()
        }
        var handle = pthread_t()
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let code = unsafe pthread_create(
            &handle,
            &attributes,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                start.run()
                return nil
            },
            Unmanaged.passRetained(start).toOpaque()
        )
        unsafe pthread_attr_destroy(&attributes)
        precondition(code == 0, "pthread_create failed with errno \(code)")
    }

    /// Waits until the body has returned. Blocks: never call it on the cooperative pool.
    public func join() {
        finished.wait()
    }

    /// Waits until the body has returned, without blocking a thread.
    public func ended() async {
        await finished.opened()
    }
}

/// What a new thread needs to begin.
private final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }

    func run() {
        // The kernel keeps 15 bytes of a thread's name. prctl is variadic and not imported; the file does the same.
        let file = unsafe open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        if file >= 0 {
            let bytes = Array(name.utf8.prefix(15))
            _ = unsafe write(file, bytes, bytes.count)
            close(file)
        }
        body()
    }
}
