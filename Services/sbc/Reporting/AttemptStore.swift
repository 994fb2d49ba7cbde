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

/// Why the state could not be kept.
struct StateError: Error, Equatable, CustomStringConvertible {
    var operation: String
    var path: String
    var errorNumber: Int32

    /// What failed, the path and the errno with its text.
    var description: String {
        "cannot \(operation) \(path): \(systemErrorText(errorNumber)) (errno \(errorNumber))"
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

    /// Replaces the record: a reader sees the old one or the new one, whole, also after a crash.
    ///
    /// - Throws: `StateError` with the errno.
    func save(_ record: AttemptRecord) throws(StateError) {
        let body = JSON.object([
            ("job_id", .string(jobID)),
            ("attempt", .integer(record.attempt)),
            ("last_seq", .integer(record.lastSeq)),
        ])
        let temporary = path + ".new"
        let number = unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw fault("create", temporary) }
        let descriptor = Descriptor(number)
        let bytes = body.bytes + [UInt8(ascii: "\n")]
        guard unsafe write(descriptor.number, bytes, bytes.count) == bytes.count,
            fsync(descriptor.number) == 0
        else { throw fault("write", temporary) }
        guard unsafe rename(temporary, path) == 0 else { throw fault("rename to", path) }
    }

    /// Keeps other runs of this job out as long as the result lives.
    ///
    /// - Returns: the lock. nil if another process has it.
    /// - Throws: `StateError` where no lock file can be made.
    func lock() throws(StateError) -> Descriptor? {
        let lockPath = path + ".lock"
        let number = unsafe open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw fault("create", lockPath) }
        let descriptor = Descriptor(number)
        return flock(number, LOCK_EX | LOCK_NB) == 0 ? descriptor : nil
    }

    /// Makes the directory, and those above it.
    ///
    /// - Throws: `StateError` with the errno.
    func makeDirectory() throws(StateError) {
        var made = directory.hasPrefix("/") ? "/" : ""
        for part in directory.split(separator: "/") {
            made += made.isEmpty || made.hasSuffix("/") ? part : "/\(part)"
            guard unsafe mkdir(made, 0o700) == 0 || errno == EEXIST else { throw fault("create", made) }
        }
    }

    /// The file's path. A job's id may be longer, encoded, than a name may be: then its end is a hash of it.
    private var path: String {
        let encoded = MessageWriter.percentEncoded(jobID)
        // A name of dots alone is a directory.
        let name = encoded.hasPrefix(".") ? "%2E" + encoded.dropFirst() : encoded
        guard name.utf8.count > 200 else { return "\(directory)/\(name).json" }
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in jobID.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return "\(directory)/\(name.prefix(180))-\(String(hash, radix: 16)).json"
    }

    private func fault(_ operation: String, _ path: String) -> StateError {
        StateError(operation: operation, path: path, errorNumber: errno)
    }
}
