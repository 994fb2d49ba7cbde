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
        let disks = try #require(inventory.machine("pgtest1")?.disks)
        #expect(disks.map(\.source) == [.path("/dev/mapper/pg"), .uri("nbd+unix:///?socket=/a")])
        #expect(disks.map(\.target) == [.path("/backup/pg-0.raw"), .path("/backup/pg=1.raw")])
        #expect(inventory.machine("web")?.disks.count == 1)
        #expect(inventory.machine("nobody") == nil)
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
        ("hub: {url: hub:1}\nvms: []\n", 1, "hub.url"),
        ("hub: {token-file: /t}\nvms: []\n", 1, "hub.url"),
        ("defaults:\n  rate-limit: fast\nvms: []\n", 2, "defaults.rate-limit"),
        ("vms:\n  - name: a\n    hook-timeout: 0\n    disks: [{source: /a}]\n", 3, "vms[0].hook-timeout"),
        ("vms:\n  - name: a\n    connections: 99\n    disks: [{source: /a}]\n", 3, "1 to 16 connections"),
        (
            "vms:\n  - name: a\n    release-command: [a, [b]]\n    disks: [{source: /a}]\n", 3,
            "a list of a program"
        ),
    ])
    func `an error names the file, the line and the key`(yaml: String, line: Int, key: String) throws {
        let fault = #expect(throws: Inventory.Fault.self) { try Inventory(yaml: yaml, file: "sbc.yaml") }
        let text = try #require(fault?.description)
        #expect(text.hasPrefix("sbc.yaml:\(line):"), "\(text)")
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

    @Test func `an unknown key is named with its place and the nearest known one`() throws {
        let yaml = "vms:\n  - name: a\n    snapshot-comand: x\n    disks: [{source: /a}]\n"
        let fault = #expect(throws: Inventory.Fault.self) { try Inventory(yaml: yaml, file: "sbc.yaml") }
        let text = fault?.description ?? ""
        #expect(text.hasPrefix("sbc.yaml:3:5: vms[0].snapshot-comand: is not known here; did you mean"))
        #expect(text.contains("did you mean snapshot-command? known are name, disks,"))
        #expect(Spelling.nearest(to: "zzz", in: ["name", "disks"]) == nil)
    }

    private let full = """
        hub:
          url: https://hub.example:8443/
        defaults:
          rate-limit: 200M
          hook-timeout: 120
          release-command: [/bin/true, "a b"]
        vms:
          - name: pg
            repository-id: local
            rate-limit: 50M
            requests: 8
            snapshot-command: echo "$SENDENSE_VM"
            disks:
              - {source: /a, target: /b}
          - name: web
            disks:
              - {source: /c, target: /d}
        """

    @Test func `hooks and limits come from the VM, else from the defaults; options win over both`() throws {
        let folder = TemporaryFolder()
        let file = folder("sbc.yaml")
        try full.write(toFile: file, atomically: true, encoding: .utf8)
        func plan(_ vm: String, _ change: (inout BackupOptions) -> Void = { _ in }) throws -> BackupPlan {
            var options = BackupOptions(vm: vm, config: file)
            change(&options)
            return try BackupPlan(options, environment: [:], nowMilliseconds: 0)
        }
        let pg = try plan("pg")
        #expect(pg.rate?.bytesPerSecond == 50 << 20 && pg.settings.requestsPerConnection == 8)
        #expect(pg.hooks.snapshot == .shell("echo \"$SENDENSE_VM\""))
        #expect(pg.hooks.release == .program(["/bin/true", "a b"]) && pg.hooks.timeoutSeconds == 120)
        #expect(pg.hub.url == "https://hub.example:8443" && pg.identity.repositoryID == "local")
        let web = try plan("web")
        #expect(web.rate?.bytesPerSecond == 200 << 20 && web.settings.requestsPerConnection == 4)
        #expect(web.hooks.snapshot == nil)
        let told = try plan("pg") {
            $0.rateLimit = "1M"
            $0.requests = 2
            $0.releaseCommand = "true"
            $0.hookTimeoutSeconds = 9
            $0.hubURL = "http://other:1"
            $0.disks = ["/x=/y"]
        }
        #expect(told.rate?.bytesPerSecond == 1 << 20 && told.settings.requestsPerConnection == 2)
        #expect(told.hooks.release == .shell("true") && told.hooks.timeoutSeconds == 9)
        #expect(told.hub.url == "http://other:1" && told.disks[0].source == .path("/x"))
        let wrong = #expect(throws: UsageError.self) { try plan("pq") }
        #expect(wrong?.description.contains("did you mean pg?") == true)
    }
}
