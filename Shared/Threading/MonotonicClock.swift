internal import Glibc

/// The machine's monotonic clock: never stepped, so differences are true durations.
public enum MonotonicClock {
    /// Milliseconds since some point in the past of this machine's run.
    public static var nowMilliseconds: Int64 { nowNanoseconds / 1_000_000 }

    /// Nanoseconds since some point in the past of this machine's run.
    public static var nowNanoseconds: Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// The machine's wall clock: for stamps that people read, never for durations.
public enum WallClock {
    /// Milliseconds since 1970 UTC.
    public static var nowMilliseconds: Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}

/// Puts the calling thread to sleep. Never call it on the cooperative pool.
public enum Pause {
    /// Sleeps for so many milliseconds, or until a signal comes.
    public static func milliseconds(_ milliseconds: Int) {
        usleep(UInt32(clamping: milliseconds * 1000))
    }
}
