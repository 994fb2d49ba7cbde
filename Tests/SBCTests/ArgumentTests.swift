import Testing

@testable import SBC

struct ArgumentTests {
    @Test(arguments: [
        ("/dev/vda=/backup/vda.raw", "/dev/vda", "/backup/vda.raw"),
        ("a.raw=b.raw", "a.raw", "b.raw"),
        ("nbd+unix:///?socket=/a=nbd+unix:///?socket=/b", "nbd+unix:///?socket=/a", "nbd+unix:///?socket=/b"),
        (
            "nbd://h:10809/x=nbd://127.0.0.1:10100/pg-disk0", "nbd://h:10809/x",
            "nbd://127.0.0.1:10100/pg-disk0"
        ),
        ("nbd+unix:///?socket=/run/a.sock=/backup/b.raw", "nbd+unix:///?socket=/run/a.sock", "/backup/b.raw"),
        ("nbd+unix:///e?socket=/a&tls=1=/b", "nbd+unix:///e?socket=/a&tls=1", "/b"),
        ("/a=nbd+unix:///?socket=/b", "/a", "nbd+unix:///?socket=/b"),
        ("/data/x=1/a.raw=/backup/b.raw", "/data/x=1/a.raw", "/backup/b.raw"),
    ])
    func `a disk splits between source and target`(text: String, source: String, target: String) throws {
        let disk = try DiskArgument(text)
        #expect(disk.source.description == source)
        #expect(disk.target.description == target)
    }

    @Test(arguments: ["", "/a", "=/b", "/a=", "a=b=c", "/a=/b=/c", "nbd+unix:///?socket=/a"])
    func `what cannot be split in one way is refused with its text`(text: String) {
        let fault = #expect(throws: DiskArgument.Fault.self) { try DiskArgument(text) }
        #expect(fault?.description.contains(text) == true)
    }

    @Test func `a URI is told from a path`() {
        #expect(Endpoint("nbd+unix:///?socket=/a") == .uri("nbd+unix:///?socket=/a"))
        #expect(Endpoint("/a://b") == .path("/a://b"))
        #expect(Endpoint("./x") == .path("./x"))
    }

    @Test(arguments: [
        ("2000:nbd://127.0.0.1:10100/vm-disk0", ["nbd://127.0.0.1:10100/vm-disk0"]),
        ("2001:nbd://h:2/b,2000:nbd://h:1/a", ["nbd://h:1/a", "nbd://h:2/b"]),
        ("2000:nbd+unix:///a,b?socket=/s,2001:nbds://h/c", ["nbd+unix:///a,b?socket=/s", "nbds://h/c"]),
    ])
    func `the field's targets are read by their keys`(text: String, uris: [String]) throws {
        #expect(try NBDTargets(text).uris == uris)
    }

    @Test(arguments: [
        ("", "empty"), ("nbd://h/a", "KEY:URI"), ("2000:/a", "KEY:URI"), ("2000:http://h/a", "no NBD URI"),
        ("1999:nbd://h/a", "1999"), ("2000:nbd://h/a,2000:nbd://h/b", "twice"),
        ("2000:nbd://h/a,2002:nbd://h/b", "2001"),
    ])
    func `targets that cannot be meant are refused`(text: String, words: String) {
        let fault = #expect(throws: NBDTargets.Fault.self) { try NBDTargets(text) }
        #expect(fault?.description.contains(words) == true, "\(String(describing: fault))")
    }

    @Test func `targets of the hub meet the sources in their order`() throws {
        let plan = try plan {
            $0.disks = ["nbd+unix:///?socket=/a=b", "/dev/vdb"]
            $0.nbdTargets = "2001:nbd://h:2/b,2000:nbd://h:1/a"
        }
        #expect(plan.disks.map(\.source) == [.uri("nbd+unix:///?socket=/a=b"), .path("/dev/vdb")])
        #expect(plan.disks.map(\.target) == [.uri("nbd://h:1/a"), .uri("nbd://h:2/b")])
    }

    @Test(arguments: [
        ("50M", Int64(50) << 20), ("1", 1), ("4k", 4096), ("1.5G", 3 << 29), ("50MB/s", 50 << 20),
        ("2MiB", 2 << 20),
        ("1T", 1 << 40),
    ])
    func `a rate is a number with a suffix in base 1024`(text: String, expected: Int64) {
        #expect(ByteRate(text)?.bytesPerSecond == expected)
    }

    @Test(arguments: ["", "0", "-1M", "M", "fast", "1e9", "nan", "inf", "1P", "5 M", "0.1"])
    func `what is no rate is refused`(text: String) {
        #expect(ByteRate(text) == nil)
    }

    private func plan(
        _ change: (inout BackupOptions) -> Void = { _ in },
        _ environment: [String: String] = [:]
    ) throws(UsageError) -> BackupPlan {
        var options = BackupOptions(vm: "pg", disks: ["/a=/b"])
        change(&options)
        return try BackupPlan(options, environment: environment, nowMilliseconds: 1_760_099_999_500)
    }

    @Test func `flags win over the environment, the environment over defaults`() throws {
        let bare = try plan()
        #expect(bare.identity.jobID == "backup-pg-1760099999")
        #expect(bare.hub.url == "http://localhost:8082")
        #expect(bare.isTelemetryOn)
        let environment = [
            "MIGRATEKIT_JOB_ID": "env-job", "SHA_API_URL": "http://hub:1/", "SENDENSE_SBC_STATE_DIR": "/s",
            "SENDENSE_SBC_LOG": "/l", "SENDENSE_SBC_REPORT_INTERVAL_MS": "200",
        ]
        let fromEnvironment = try plan({ _ in }, environment)
        #expect(fromEnvironment.identity.jobID == "env-job")
        #expect(fromEnvironment.hub.url == "http://hub:1")
        #expect(fromEnvironment.stateDirectory == "/s")
        #expect(fromEnvironment.logFile == "/l" && fromEnvironment.isLogFileAsked)
        #expect(fromEnvironment.reportIntervalMilliseconds == 200)
        let fromFlags = try plan(
            {
                $0.jobID = "flag-job"
                $0.hubURL = "https://other:2"
                $0.stateDirectory = "/t"
            },
            environment
        )
        #expect(fromFlags.identity.jobID == "flag-job")
        #expect(fromFlags.hub.url == "https://other:2")
        #expect(fromFlags.stateDirectory == "/t")
    }

    @Test(arguments: ["b0", "qemu:dirty-bitmap:b0"])
    func `a bitmap may be named as its metadata context is`(name: String) throws {
        var options = BackupOptions()
        options.isIncremental = true
        options.bitmap = name
        #expect(try BackupPlan.changes(options, diskCount: 2) == [.bitmap("b0"), .bitmap("b0")])
    }

    @Test func `what is wrong is refused by the option's name`() {
        let cases: [(String, (inout BackupOptions) -> Void)] = [
            ("--vm", { $0.vm = "" }),
            ("--type", { $0.type = "differential" }),
            ("--changed-blocks", { $0.type = "incremental" }),
            (
                "--changed-blocks",
                {
                    $0.isIncremental = true; $0.changedBlocks = ["/no/such/list"]
                }
            ),
            ("--incremental", { $0.bitmap = "b" }),
            (
                "--type",
                {
                    $0.type = "full"; $0.isIncremental = true
                }
            ),
            (
                "--bitmap",
                {
                    $0.isIncremental = true; $0.bitmap = "b"; $0.changedBlocks = ["/a"]
                }
            ),
            (
                "--bitmap",
                {
                    $0.isIncremental = true; $0.bitmap = "qemu:dirty-bitmap:"
                }
            ),
            ("--nbd-targets", { $0.nbdTargets = "2000:nbd://h/a,2001:nbd://h/b" }),
            ("--connections", { $0.connections = 0 }),
            (
                "--direct",
                {
                    $0.isDirect = true
                    $0.disks = ["nbd://a=nbd://b"]
                }
            ),
            ("--requests", { $0.requests = 1000 }),
            ("--request-size", { $0.requestSize = "1K" }),
            ("--request-size", { $0.requestSize = "70001" }),
            ("--flush-every", { $0.flushEvery = "1M" }),
            ("--reconnect-timeout", { $0.reconnectTimeoutSeconds = -1 }),
            ("--job-id", { $0.jobID = String(repeating: "x", count: 65) }),
            ("--job-id", { $0.jobID = "a\nb" }),
            ("--disk", { $0.disks = ["/a"] }),
            ("--hub-url", { $0.hubURL = "hub:8082" }),
            ("--hub-url", { $0.hubURL = "ftp://hub" }),
            ("--hub-url", { $0.hubURL = "http://" }),
            ("--rate-limit", { $0.rateLimit = "fast" }),
            ("--attempt", { $0.attempt = 0 }),
            ("--drain-timeout", { $0.drainTimeoutSeconds = -1 }),
            ("--hub-column", { $0.hubColumns = ["vm_context_id"] }),
            ("--hub-column", { $0.hubColumns = ["no name=1"] }),
            ("--hub-column", { $0.hubColumns = ["disks=1"] }),
            ("--hub-column", { $0.hubColumns = ["a=1", "A=2"] }),
            ("--log-format", { $0.logFormat = "xml" }),
            ("256", { $0.disks = Array(repeating: "/a=/b", count: 257) }),
        ]
        for (name, change) in cases {
            let error = #expect(throws: UsageError.self) { try plan(change) }
            #expect(error?.description.contains(name) == true, "\(name): \(String(describing: error))")
        }
    }
}
