import Foundation
import Testing

@testable import SBC

/// `check` against real files, folders and shells.
struct CheckTests {
    private let folder = TemporaryFolder()

    private func check(_ yaml: String) throws -> [DiskCheck] {
        let inventory = try Inventory(yaml: yaml, file: "sbc.yaml")
        return inventory.machines.flatMap { InventoryCheck(inventory: inventory).disks(of: $0) }
    }

    private func yaml(_ disks: [(String, String)], _ more: String = "") -> String {
        let lines = disks.map { "      - {source: \"\($0.0)\", target: \"\($0.1)\"}" }.joined(separator: "\n")
        return "vms:\n  - name: pg\n\(more)    disks:\n\(lines)\n"
    }

    @Test func `a good inventory has sizes, no problems, and is left as it was`() throws {
        try DiskFile.make(folder("a"), size: 3 << 20)
        try DiskFile.make(folder("old"), size: 10)
        let checks = try check(yaml([(folder("a"), folder("new")), (folder("a"), folder("old"))]))
        #expect(checks.map(\.state) == ["ok", "ok"])
        #expect(checks.map(\.size) == [3 << 20, 3 << 20])
        #expect(!FileManager.default.fileExists(atPath: folder("new")))
        #expect(try DiskFile.content(folder("old")).count == 10)
        let table = CheckTable(checks).text
        #expect(table.hasPrefix("VM  DISK  SOURCE"))
        #expect(table.contains("3.0 MiB") && table.hasSuffix("2 disk(s) of 1 VM(s): all can be backed up\n"))
    }

    @Test func `what cannot be read, written or kept apart is named`() throws {
        try DiskFile.make(folder("a"), size: 4096)
        let checks = try check(
            yaml([
                (folder("none"), folder("t1")), (folder("a"), folder("missing/t2")),
                (folder("a"), folder("a")),
                (folder("a"), folder("t1")), (folder.path, "/dev/null"),
                ("nbd+unix:///?socket=/none", folder("t3")),
            ])
        )
        let words = [
            "source: No such file", "target: folder \(folder("missing")): No such file",
            "is the source of pg disk",
            "is also that of pg disk 0", "is a directory", "source: ",
        ]
        for (check, words) in zip(checks, words) {
            #expect(check.problems.contains { $0.contains(words) }, "\(check)")
        }
        #expect(checks[4].problems.contains { $0.contains("target: /dev/null is neither a file nor") })
        #expect(CheckTable(checks).text.hasSuffix("6 disk(s) of 1 VM(s): 6 cannot be backed up\n"))
    }

    @Test func `before its snapshot a source may be missing, and hooks are read but not run`() throws {
        let good = "    snapshot-command: touch \(folder("ran"))\n    release-command: [sh, -c, x]\n"
        let checks = try check(yaml([(folder("none"), folder("t"))], good))
        #expect(checks[0].problems == [])
        #expect(checks[0].state.hasSuffix("(before the snapshot)"))
        #expect(!FileManager.default.fileExists(atPath: folder("ran")))
        let bad = "    snapshot-command: if true\n    release-command: [/none/program]\n"
        let problems = try check(yaml([(folder("none"), folder("t"))], bad))[0].problems
        #expect(problems.count == 2)
        #expect(problems[0].hasPrefix("snapshot-command: ") && problems[0].contains("yntax error"))
        #expect(problems[1] == "release-command: /none/program: No such file or directory")
    }
}
