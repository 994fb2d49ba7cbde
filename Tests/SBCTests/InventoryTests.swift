import Foundation
import Testing

@testable import SBC

struct InventoryTests {
    private let good = """
        vms:
          - name: pgtest1
            disks:
              - source: /dev/mapper/pg
                target: /backup/pg-0.raw
              - source: nbd+unix:///?socket=/a
                target: /backup/pg=1.raw
          - name: web
            disks:
              - {source: /w, target: /b/w}
        """

    @Test func `the disks of a VM come in the order of the file`() throws {
        let inventory = try Inventory(yaml: good, file: "sbc.yaml")
        let disks = try #require(inventory.disks(of: "pgtest1"))
        #expect(disks.map(\.source) == [.path("/dev/mapper/pg"), .uri("nbd+unix:///?socket=/a")])
        #expect(disks.map(\.target) == [.path("/backup/pg-0.raw"), .path("/backup/pg=1.raw")])
        #expect(inventory.disks(of: "web")?.count == 1)
        #expect(inventory.disks(of: "nobody") == nil)
    }

    @Test(arguments: [
        ("vms:\n  - name: a\n    diks: []\n", 3, "vms[0].diks"),
        ("vms:\n  - name: a\n", 2, "vms[0].disks"),
        ("vms:\n  - disks:\n      - source: /a\n        target: /b\n", 2, "vms[0].name"),
        ("vms:\n  - name: a\n    disks:\n      - target: /a\n", 4, "vms[0].disks[0].source"),
        ("vms:\n  - name: a\n    disks: /a\n", 3, "vms[0].disks"),
        ("vms:\n  - name: a\n    disks: []\n", 3, "vms[0].disks"),
        ("vms: 7\n", 1, "vms"),
        ("machines: []\n", 1, "machines"),
        ("vms:\n  - name: a\n    disks: [{source: [], target: /b}]\n", 3, "vms[0].disks[0].source"),
        (
            "vms:\n  - name: a\n    disks: [{source: /a, target: /b}]\n  - name: a\n"
                + "    disks: [{source: /a, target: /b}]\n", 4, "vms[1].name"
        ),
        ("vms:\n  - name: \"a\n", 3, "YAML"),
        ("- a\n", 1, "the file"),
    ])
    func `an error names the file, the line and the key`(yaml: String, line: Int, key: String) throws {
        let fault = #expect(throws: Inventory.Fault.self) { try Inventory(yaml: yaml, file: "sbc.yaml") }
        let text = try #require(fault?.description)
        #expect(text.hasPrefix("sbc.yaml:\(line): "), "\(text)")
        #expect(text.contains(key), "\(text)")
    }

    @Test func `a disk without a target needs the hub's word for it`() throws {
        let folder = TemporaryFolder()
        let file = folder("sbc.yaml")
        let yaml = "vms:\n  - name: a\n    disks:\n      - source: nbd+unix:///?socket=/s\n"
        try yaml.write(toFile: file, atomically: true, encoding: .utf8)
        var options = BackupOptions(vm: "a", config: file)
        let error = #expect(throws: UsageError.self) {
            try BackupPlan(options, environment: [:], nowMilliseconds: 0)
        }
        #expect(error?.description.contains("disk 0 of a has no target") == true)
        options.nbdTargets = "2000:nbd://127.0.0.1:10100/a-disk0"
        let plan = try BackupPlan(options, environment: [:], nowMilliseconds: 0)
        #expect(
            plan.disks == [
                DiskArgument(
                    source: .uri("nbd+unix:///?socket=/s"),
                    target: .uri("nbd://127.0.0.1:10100/a-disk0")
                )
            ]
        )
    }

    @Test func `the guide's command finds its disks in the inventory`() throws {
        let folder = TemporaryFolder()
        let file = folder("sbc.yaml")
        try good.write(toFile: file, atomically: true, encoding: .utf8)
        let options = BackupOptions(vm: "pgtest1", jobID: "test-telemetry-1")
        let plan = try BackupPlan(options, environment: ["SENDENSE_SBC_CONFIG": file], nowMilliseconds: 0)
        #expect(plan.disks.count == 2)
        #expect(plan.identity.jobID == "test-telemetry-1")
        let other = BackupOptions(vm: "nobody", config: file)
        let error = #expect(throws: UsageError.self) {
            try BackupPlan(other, environment: [:], nowMilliseconds: 0)
        }
        #expect(error?.description.contains("nobody") == true)
        let missing = BackupOptions(vm: "pgtest1", config: folder("none.yaml"))
        let missingError = #expect(throws: UsageError.self) {
            try BackupPlan(missing, environment: [:], nowMilliseconds: 0)
        }
        #expect(missingError?.description.contains("--disk") == true)
    }
}
