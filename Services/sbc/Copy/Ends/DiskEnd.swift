internal import NBD
internal import Synchronization

/// A source or target that is open, and of which nothing has been changed yet.
enum DiskEnd: Sendable {
    case file(OpenFile)
    case nbd(NBDEnd)

    /// The most bytes of a disk, 8 PiB: what a number in JSON holds to the byte, and of which no sum overflows.
    static let sizeMax: Int64 = 1 << 53

    /// Bytes.
    var size: Int64 {
        switch self {
        case .file(let file): file.size
        case .nbd(let end): end.export.size
        }
    }

    /// The path or URI as given.
    var name: String {
        switch self {
        case .file(let file): file.path
        case .nbd(let end): end.uri
        }
    }

    /// What it refers to: two of the same identity are one disk.
    var identity: EndIdentity {
        switch self {
        case .file(let file): .file(file.identity)
        case .nbd(let end): EndIdentity(uri: end.uri)
        }
    }

    /// Offsets and lengths of its requests must be multiples of it, in bytes.
    var blockSize: Int64 {
        switch self {
        case .file(let file): file.unit
        case .nbd(let end): end.export.blockSizeMin
        }
    }

    /// The most bytes of one request of data.
    var requestLengthMax: Int64 {
        switch self {
        case .file: Int64.max
        // The protocol's own bound where the server gives none.
        case .nbd(let end): end.export.blockSizeMax ?? 32 << 20
        }
    }

    /// It is a file or device that is read or written past the system's cache.
    var isDirect: Bool {
        if case .file(let file) = self { file.direct != nil } else { false }
    }

    /// How many connections may copy side by side.
    var connectionCountMax: Int {
        switch self {
        case .file: Int.max
        case .nbd(let end): end.export.canMultiConn ? Int.max : 1
        }
    }
}

/// An export of an NBD server, with the connection on which it was looked at.
final class NBDEnd: Sendable {
    let uri: String
    let export: NBDExport
    private let first: Mutex<NBDConnection?>

    init(uri: String, connection: NBDConnection) {
        self.uri = uri
        export = connection.export
        first = Mutex(connection)
    }

    /// The connection that is open already; nil for all but the first who asks.
    func takeFirst() -> NBDConnection? {
        first.withLock { $0.take() }
    }

    /// Takes the first connection back from who has looked at the export over it, for the copy to use.
    func giveBack(_ connection: NBDConnection) {
        first.withLock { $0 = connection }
    }

    /// Opens another connection to the same export.
    ///
    /// - Throws: `NBDError`, also where the export is no longer what it was.
    func connect(timeoutMilliseconds: Int, isStopped: () -> Bool) throws(NBDError) -> NBDConnection {
        let connection = try NBDConnection(
            uri: uri,
            timeoutMilliseconds: timeoutMilliseconds,
            isStopped: isStopped
        )
        guard connection.export.size == export.size, connection.export.isReadOnly == export.isReadOnly,
            connection.export.blockSizeMin <= export.blockSizeMin
        else {
            throw NBDError(
                operation: "connect",
                code: 0,
                message: "the export is not the one that it was: it has \(connection.export.size) bytes, and "
                    + "had \(export.size)"
            )
        }
        return connection
    }
}
