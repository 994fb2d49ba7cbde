internal import Glibc

/// What is tried again, how often, and when. Pure.
///
/// A request that a server or the system refused is another matter than a server that is gone: the first is
/// tried a few times, since a bad sector stays bad; the second is waited for.
struct RetryRule: Equatable, Sendable {
    /// How often a request is tried in all.
    var requestTriesMax = 4
    /// How long a server that went away is waited for, in milliseconds.
    var reconnectMillisecondsMax: Int64 = 60_000
    /// How long a connection with requests in flight may be silent before the server counts as gone, in
    /// milliseconds.
    var silenceMillisecondsMax: Int64 = 120_000
    /// The wait before the first new try, in milliseconds; it doubles with each.
    var firstWaitMilliseconds: Int64 = 100
    /// The longest wait between two tries, in milliseconds.
    var longestWaitMilliseconds: Int64 = 2000

    /// The wait after so many failed tries.
    func waitMilliseconds(afterFailures count: Int) -> Int64 {
        min(longestWaitMilliseconds, firstWaitMilliseconds << Int64(min(16, max(0, count - 1))))
    }

    /// Whether a refused request is worth another try.
    func shouldRetry(_ errorNumber: Int32, afterTries count: Int) -> Bool {
        count < requestTriesMax && !Self.isFinal(errorNumber)
    }

    /// What will not change by itself: a full disk, a wrong request, a missing right.
    static func isFinal(_ errorNumber: Int32) -> Bool {
        switch errorNumber {
        case ENOSPC, EDQUOT, EFBIG, EROFS, EPERM, EACCES, EINVAL, EBADF, ENOTSUP, ENXIO, ENODEV: true
        default: false
        }
    }

    /// What connecting meets where a server is not there, or not yet.
    static func isAway(_ errorNumber: Int32) -> Bool {
        switch errorNumber {
        case ECONNREFUSED, ECONNRESET, ECONNABORTED, ETIMEDOUT, EHOSTUNREACH, EHOSTDOWN, ENETUNREACH, EPIPE:
            true
        default: isLoss(errorNumber)
        }
    }

    /// What a server says, or libnbd for it, when it is going away.
    static func isLoss(_ errorNumber: Int32) -> Bool {
        errorNumber == ENOTCONN || errorNumber == ESHUTDOWN
    }
}
