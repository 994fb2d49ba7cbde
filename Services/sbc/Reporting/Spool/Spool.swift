internal import FoundationEssentials
internal import Glibc

/// The folder of reports that the hub does not have yet, one file each.
///
/// Whoever works at a file holds its lock (flock): the lock belongs to the file itself, so there is nothing to
/// tidy up after a crash. A file is replaced by one that is locked already.
struct Spool: Sendable {
    /// One file by its name: the job first, then the attempt, then the run's beginning. Names in ascending
    /// order are a job's reports in their order.
    struct Entry: Hashable, Comparable, Sendable {
        var name: String

        /// What all reports of a job begin with.
        var job: Substring { name.dropLast(".json".utf8.count + Self.digitCount) }

        /// `.<attempt>.<milliseconds>`, both padded with zeroes.
        fileprivate static let digitCount = 1 + 19 + 1 + 15

        init?(name: String) {
            guard name.hasSuffix(".json"), name.utf8.count > Self.digitCount + 5, !name.hasPrefix(".") else {
                return nil
            }
            self.name = name
        }

        init(_ report: SpooledReport) {
            let attempt = Self.padded(report.attempt, 19)
            let started = Self.padded(report.startedAtMilliseconds ?? 0, 15)
            name = "\(Spool.jobName(report.identity.jobID)).\(attempt).\(started).json"
        }

        static func < (left: Entry, right: Entry) -> Bool { left.name < right.name }

        private static func padded(_ number: Int64, _ count: Int) -> String {
            let digits = String(max(0, number))
            return String(repeating: "0", count: max(0, count - digits.utf8.count)) + digits
        }
    }

    /// The right to deliver, replace and remove one file.
    struct Claim: Sendable {
        let entry: Entry
        fileprivate let descriptor: Descriptor
    }

    enum ClaimOutcome: Sendable {
        case claimed(Claim)
        /// Another process works at it.
        case busy
        /// Somebody was done with it.
        case gone
    }

    let directory: String
    /// Where reports go that the hub refused for good; nothing there is sent.
    var refusedDirectory: String { directory + "/refused" }

    /// The spool in a state directory.
    init(stateDirectory: String) {
        directory = stateDirectory + "/spool"
    }

    /// What the names of a job's reports begin with.
    static func jobName(_ jobID: String) -> String { StateFiles.name(jobID: jobID, byteCountMax: 180) }

    /// All reports, each job's in their order. A folder that is not there has none.
    ///
    /// - Throws: `StateError` where the folder is there and cannot be read.
    func entries() throws(StateError) -> [Entry] {
        guard let folder = unsafe opendir(directory) else {
            guard errno != ENOENT else { return [] }
            throw StateFiles.fault("read", directory)
        }
        defer { unsafe closedir(folder) }
        var entries: [Entry] = []
        while let item = unsafe readdir(folder) {
            let name = unsafe withUnsafeBytes(of: &item.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let entry = Entry(name: name) { entries.append(entry) }
        }
        return entries.sorted()
    }

    /// Files with a name that no report has; they are not sent.
    var strangers: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        let isForeign = { (name: String) in
            !name.hasPrefix(".") && !name.hasSuffix(".new") && name != "refused" && Entry(name: name) == nil
        }
        return names.filter(isForeign).sorted()
    }

    /// Takes a report, unless another process has it.
    ///
    /// - Throws: `StateError` with the errno.
    func claim(_ entry: Entry) throws(StateError) -> ClaimOutcome {
        let path = path(entry)
        while true {
            let number = unsafe open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
            guard number >= 0 else {
                guard errno != ENOENT else { return .gone }
                throw StateFiles.fault("open", path)
            }
            let descriptor = Descriptor(number)
            guard flock(number, LOCK_EX | LOCK_NB) == 0 else {
                guard errno == EWOULDBLOCK else { throw StateFiles.fault("lock", path) }
                return .busy
            }
            // It may have been replaced or removed between open and lock; then this is the lock of nothing.
            var opened = stat()
            var named = stat()
            guard unsafe fstat(number, &opened) == 0 else { throw StateFiles.fault("look at", path) }
            guard unsafe stat(path, &named) == 0 else { return .gone }
            if opened.st_ino == named.st_ino, opened.st_dev == named.st_dev {
                return .claimed(Claim(entry: entry, descriptor: descriptor))
            }
        }
    }

    /// The report of a claimed file. nil if it is damaged, or of another version.
    func report(_ claim: Claim) -> SpooledReport? {
        StateFiles.content(claim.descriptor).flatMap { SpooledReport($0) }
    }

    /// Writes a report under its own name; what was there is replaced, and only its owner may do that.
    ///
    /// - Returns: the claim on it.
    /// - Throws: `StateError` with the errno.
    func write(_ report: SpooledReport) throws(StateError) -> Claim {
        let entry = Entry(report)
        try StateFiles.makeDirectory(directory)
        return Claim(entry: entry, descriptor: try put(report, at: path(entry)))
    }

    /// Writes what is left of a claimed report; the file keeps its name, also where the attempt has changed.
    ///
    /// - Returns: the new claim.
    /// - Throws: `StateError` with the errno.
    func rewrite(_ claim: Claim, with report: SpooledReport) throws(StateError) -> Claim {
        Claim(entry: claim.entry, descriptor: try put(report, at: path(claim.entry)))
    }

    /// Removes a report that is delivered.
    ///
    /// - Throws: `StateError` with the errno.
    func remove(_ claim: Claim) throws(StateError) {
        try StateFiles.remove(path(claim.entry))
    }

    /// Puts what the hub refused where nothing is sent from, with the reasons.
    ///
    /// - Throws: `StateError` with the errno; the report then stays where it was.
    func setAside(_ claim: Claim, _ report: SpooledReport) throws(StateError) {
        try putAside(report, as: claim.entry)
        try remove(claim)
    }

    /// Puts what the hub refused of a run under way where nothing is sent from.
    ///
    /// - Throws: `StateError` with the errno.
    func putAside(_ report: SpooledReport) throws(StateError) {
        try putAside(report, as: Entry(report))
    }

    private func putAside(_ report: SpooledReport, as entry: Entry) throws(StateError) {
        try StateFiles.makeDirectory(refusedDirectory)
        try put(report, at: "\(refusedDirectory)/\(entry.name)")
    }

    /// Puts a file away that cannot be read, as it is.
    ///
    /// - Throws: `StateError` with the errno.
    func setAsideDamaged(_ claim: Claim) throws(StateError) {
        try StateFiles.makeDirectory(refusedDirectory)
        let aside = "\(refusedDirectory)/\(claim.entry.name).damaged"
        guard unsafe rename(path(claim.entry), aside) == 0 else { throw StateFiles.fault("rename to", aside) }
    }

    @discardableResult
    private func put(_ report: SpooledReport, at path: String) throws(StateError) -> Descriptor {
        guard let bytes = SpoolFile(report).bytes else {
            throw StateError(operation: "encode", path: path, errorNumber: EINVAL)
        }
        return try StateFiles.replace(path, with: bytes)
    }

    private func path(_ entry: Entry) -> String { "\(directory)/\(entry.name)" }
}
