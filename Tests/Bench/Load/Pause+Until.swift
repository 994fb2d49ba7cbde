import Glibc
import Threading

extension Pause {
    /// Sleeps until a time of the monotonic clock, in nanoseconds.
    static func until(nanoseconds: Int64) {
        while true {
            let rest = nanoseconds - MonotonicClock.nowNanoseconds
            guard rest > 0 else { return }
            usleep(UInt32(clamping: rest / 1000 + 1))
        }
    }
}
