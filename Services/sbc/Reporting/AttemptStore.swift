internal import FoundationEssentials
internal import Glibc

/// What a client remembers of a job between runs.
struct AttemptRecord: Equatable, Sendable, Decodable {
    /// The last attempt that it chose.
    var attempt: Int64
    /// The newest `seq` of that attempt.
    var lastSeq: Int64

    enum CodingKeys: String, CodingKey {
        case attempt
        case lastSeq = "last_seq"
    }
}

/// Keeps one small file per job, so that a second run of a job reports as another attempt.
struct AttemptStore: Sendable {
    let directory: String
    let jobID: String

    /// The attempt of a new run: one more than the last known. An unreadable record counts as none; the hub
    /// then tells what it knows.
    var nextAttempt: Int64 { (load()?.attempt ?? 0) + 1 }

    /// The record of the last run. nil if there is none that can be read.
    func load() -> AttemptRecord? {
        guard let data = try? Data(contentsOf: URL(filePath: path)) else { return nil }
        let record = try? JSONDecoder().decode(AttemptRecord.self, from: data)
        guard let record, record.attempt > 0, record.attempt < Int64.max else { return nil }
        return record
    }

    /// Replaces the record.
    ///
    /// - Throws: `StateError` with the errno.
    func save(_ record: AttemptRecord) throws(StateError) {
        let body = JSON.object([
            ("job_id", .string(jobID)),
            ("attempt", .integer(record.attempt)),
            ("last_seq", .integer(record.lastSeq)),
        ])
        try StateFiles.replace(path, with: body.bytes + [UInt8(ascii: "\n")])
    }

    /// Keeps other runs of this job out as long as the result lives.
    ///
    /// - Returns: the lock. nil if another process has it.
    /// - Throws: `StateError` where no lock file can be made.
    func lock() throws(StateError) -> Descriptor? {
        let lockPath = path + ".lock"
        let number = unsafe open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw StateFiles.fault("create", lockPath) }
        let descriptor = Descriptor(number)
        return flock(number, LOCK_EX | LOCK_NB) == 0 ? descriptor : nil
    }

    /// Makes the directory, and those above it.
    ///
    /// - Throws: `StateError` with the errno.
    func makeDirectory() throws(StateError) {
        try StateFiles.makeDirectory(directory)
    }

    private var path: String { "\(directory)/\(StateFiles.name(jobID: jobID, byteCountMax: 200)).json" }
}
