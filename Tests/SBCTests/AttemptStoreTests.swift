import Foundation
import Glibc
import Testing

@testable import SBC

struct AttemptStoreTests {
    @Test func `the first run is attempt 1, the next one more than the last`() throws {
        let folder = TemporaryFolder()
        let store = AttemptStore(directory: folder("a/b"), jobID: "job-1")
        #expect(store.nextAttempt == 1)
        try store.makeDirectory()
        try store.save(AttemptRecord(attempt: 1, lastSeq: 9))
        #expect(store.load() == AttemptRecord(attempt: 1, lastSeq: 9))
        #expect(store.nextAttempt == 2)
        try store.save(AttemptRecord(attempt: 41, lastSeq: 0))
        #expect(store.nextAttempt == 42)
        #expect(AttemptStore(directory: folder("a/b"), jobID: "job-2").nextAttempt == 1)
    }

    @Test(arguments: ["", "{", "[]", #"{"attempt":"x","last_seq":1}"#, #"{"attempt":-3,"last_seq":1}"#])
    func `a damaged record counts as none`(content: String) throws {
        let folder = TemporaryFolder()
        try content.write(toFile: folder("job.json"), atomically: true, encoding: .utf8)
        #expect(AttemptStore(directory: folder.path, jobID: "job").nextAttempt == 1)
    }

    @Test func `a second run of the same job is kept out until the first ends`() throws {
        let folder = TemporaryFolder()
        let store = AttemptStore(directory: folder.path, jobID: "job")
        var first = try store.lock()
        #expect(first != nil)
        #expect(try store.lock() == nil)
        #expect(try AttemptStore(directory: folder.path, jobID: "other").lock() != nil)
        first = nil
        #expect(try store.lock() != nil)
    }

    @Test func `a lock goes with its owner, though a process that is being started has a copy of it`() throws
    {
        let folder = TemporaryFolder()
        let store = AttemptStore(directory: folder.path, jobID: "job")
        var first = try store.lock()
        let copy = dup(try #require(first).number)
        defer { close(copy) }
        first = nil
        #expect(try store.lock() != nil)
    }

    @Test(arguments: ["../../etc/x", ".", "..", "a/b", "ü b", String(repeating: "\u{1F600}", count: 64)])
    func `any job id makes one file in the folder`(jobID: String) throws {
        let folder = TemporaryFolder()
        let store = AttemptStore(directory: folder.path, jobID: jobID)
        try store.save(AttemptRecord(attempt: 5, lastSeq: 1))
        #expect(store.nextAttempt == 6)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 1)
    }

    @Test func `a folder that cannot be made is told with its errno`() {
        let store = AttemptStore(directory: "/proc/none/x", jobID: "job")
        let error = #expect(throws: StateError.self) { try store.makeDirectory() }
        #expect(error?.description.contains("/proc/none") == true)
    }

    @Test func `a file that another process is writing is not cut`() throws {
        let folder = TemporaryFolder()
        let path = folder("job.json")
        try "half".write(toFile: path + ".new", atomically: false, encoding: .utf8)
        let number = unsafe open(path + ".new", O_RDWR)
        defer { close(number) }
        #expect(flock(number, LOCK_EX) == 0)
        #expect(throws: StateError.self) { try StateFiles.replace(path, with: [1]) }
        #expect(try String(contentsOfFile: path + ".new", encoding: .utf8) == "half")
        flock(number, LOCK_UN)
        try StateFiles.replace(path, with: [1])
        #expect(try DiskFile.content(path) == Data([1]))
    }
}
