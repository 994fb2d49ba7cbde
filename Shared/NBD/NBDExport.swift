/// What a server said of an export when the connection was made.
public struct NBDExport: Equatable, Sendable {
    /// Bytes.
    public var size: Int64
    /// Offsets and lengths of requests must be multiples of it. 1 where the server asks for nothing.
    public var blockSizeMin: Int64
    /// Bytes of a request that suit the server. nil if it did not say.
    public var blockSizePreferred: Int64?
    /// The most bytes of one read or write. nil if the server did not say; NBD then promises 32 MiB.
    public var blockSizeMax: Int64?
    /// Nothing can be written.
    public var isReadOnly: Bool
    /// Several connections see one another's writes, and a flush of one covers all.
    public var canMultiConn: Bool
    /// The server can make what was written durable.
    public var canFlush: Bool
    /// A single write can be made durable.
    public var canFUA: Bool
    /// Zeroes need not be sent.
    public var canZero: Bool
    /// A stretch can be given up.
    public var canTrim: Bool
    /// Replies may come in parts, which block status needs.
    public var hasStructuredReplies: Bool
    /// The metadata contexts that the server agreed to, of those that were asked for.
    public var contexts: Set<String>
}

/// A metadata context of block status.
public enum NBDContext {
    /// What is data, what a hole and what reads as zeroes: every server that knows block status has it.
    public static let allocation = "base:allocation"

    /// The blocks that changed since a bitmap of QEMU's was begun.
    public static func dirtyBitmap(_ name: String) -> String { "qemu:dirty-bitmap:\(name)" }
}

/// A stretch of an export with its flags in one context.
public struct NBDExtent: Equatable, Sendable {
    /// Bytes.
    public var length: Int64
    /// The context's flags.
    public var flags: UInt32

    /// A stretch of so many bytes.
    public init(length: Int64, flags: UInt32) {
        self.length = length
        self.flags = flags
    }

    /// Of `base:allocation`: it reads as zeroes (NBD_STATE_ZERO). A hole alone promises nothing of its
    /// content.
    public var readsAsZeroes: Bool { flags & 2 != 0 }

    /// Of a dirty bitmap: it changed (NBD_STATE_DIRTY).
    public var isDirty: Bool { flags & 1 != 0 }
}
