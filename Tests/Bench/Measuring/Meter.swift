import Glibc
import Threading

/// What a stretch of time cost, by process.
struct Cost {
    /// How long it took.
    var seconds: Double
    /// CPU seconds by process, as the meter names them.
    var cpuSeconds: [String: Double]
    /// CPU seconds of the bench itself: the load.
    var loadSeconds: Double
    /// Share of the machine's CPU time that none of them used: other programs, kernel threads, the host.
    var othersShare: Double

    /// Takes in another stretch.
    mutating func add(_ other: Cost) {
        let share = othersShare * seconds + other.othersShare * other.seconds
        seconds += other.seconds
        othersShare = seconds > 0 ? share / seconds : 0
        cpuSeconds.merge(other.cpuSeconds, uniquingKeysWith: +)
        loadSeconds += other.loadSeconds
    }
}

/// Reads how much CPU some processes use.
struct Meter {
    /// One reading.
    struct Reading {
        var atNanoseconds: Int64
        var processes: [Int64]
        var own: Int64
        var machine: Int64
    }

    /// The processes, each by a name.
    let processes: [(name: String, pid: pid_t)]

    /// Reads all clocks.
    ///
    /// - Throws: `EndToEndError` where a process is gone.
    func read() throws -> Reading {
        Reading(
            atNanoseconds: MonotonicClock.nowNanoseconds,
            processes: try processes.map { try CPUClock.nanoseconds(of: $0.pid) },
            own: CPUClock.ownNanoseconds,
            machine: try CPUClock.machineBusyNanoseconds()
        )
    }

    /// What lies between two readings.
    func cost(from begin: Reading, to end: Reading) -> Cost {
        let seconds = Double(end.atNanoseconds - begin.atNanoseconds) / 1e9
        let own = Double(end.own - begin.own) / 1e9
        var cpuSeconds: [String: Double] = [:]
        for (place, process) in processes.enumerated() {
            cpuSeconds[process.name, default: 0] +=
                Double(end.processes[place] - begin.processes[place]) / 1e9
        }
        let busy = Double(end.machine - begin.machine) / 1e9
        let capacity = seconds * Double(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        let known = cpuSeconds.values.reduce(own, +)
        return Cost(
            seconds: seconds,
            cpuSeconds: cpuSeconds,
            loadSeconds: own,
            othersShare: max(0, busy - known) / capacity
        )
    }
}
