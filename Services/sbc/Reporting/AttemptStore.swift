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
        try Self.lock(path + ".lock", flags: O_RDWR | O_CREAT)
    }

    private static func lock(_ path: String, flags: Int32) throws(StateError) -> Descriptor? {
        while true {
            let number = unsafe open(path, flags | O_CLOEXEC, 0o600)
            guard number >= 0 else { throw StateFiles.fault("create", path) }
            let descriptor = Descriptor(number)
            guard flock(number, LOCK_EX | LOCK_NB) == 0 else { return nil }
            // Between open and lock it may have been tidied away; then this is the lock of nothing.
            var opened = stat()
            var named = stat()
            guard unsafe fstat(number, &opened) == 0 else { throw StateFiles.fault("look at", path) }
            if unsafe stat(path, &named) == 0, opened.st_ino == named.st_ino, opened.st_dev == named.st_dev {
                return descriptor
            }
        }
    }

    /// Removes what is remembered of jobs that nobody has run for two weeks and of which no report waits: a run with
    /// such an id asks the hub. What cannot be removed stays.
    ///
    /// - Parameters:
    ///   - directory: the state directory.
    ///   - nowSeconds: seconds since 1970 UTC.
    static func tidy(_ directory: String, nowSeconds: Int) {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: directory),
            let entries = try? Spool(stateDirectory: directory).entries()
        else { return }
        let waiting = Set(entries.map { String($0.job) })
        for name in names where name.hasSuffix(".json.lock") {
            let path = "\(directory)/\(name)"
            let record = String(path.dropLast(".lock".utf8.count))
            var status = stat()
            let isOld = { (path: String) in
                unsafe stat(path, &status) != 0 || status.st_mtim.tv_sec < nowSeconds - keptSeconds
            }
            guard isOld(path), isOld(record), !waiting.contains(spoolName(record)),
                let lock = try? lock(path, flags: O_RDWR)
            else { continue }
            unsafe unlink(record)
            unsafe unlink(path)
            withExtendedLifetime(lock) {}
        }
    }

    private static let keptSeconds = 14 * 86_400

    /// How the spool names a record's job. "" where the record cannot be read: then nothing waits under its id.
    private static func spoolName(_ record: String) -> String {
        struct Named: Decodable { var job_id: String }
        guard let data = try? Data(contentsOf: URL(filePath: record)),
            let named = try? JSONDecoder().decode(Named.self, from: data)
        else { return "" }
        return Spool.jobName(named.job_id)
    }

    /// Makes the directory, and those above it.
    ///
    /// - Throws: `StateError` with the errno.
    func makeDirectory() throws(StateError) {
        try StateFiles.makeDirectory(directory)
    }

    private var path: String { "\(directory)/\(StateFiles.name(jobID: jobID, byteCountMax: 200)).json" }
}
