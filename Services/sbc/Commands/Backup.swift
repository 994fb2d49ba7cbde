internal import ArgumentParser
internal import FoundationEssentials
internal import Glibc
internal import Logging
internal import Logs

/// `sendense-backup-client [backup] --vm NAME …`
struct Backup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy a VM's disks and report progress to the hub.",
        discussion: SendenseBackupClient.discussion
    )

    @Option(help: "The VM's name; its disks come from the inventory unless --disk is given.")
    var vm: String

    @Option(help: "The job's id. Default: $MIGRATEKIT_JOB_ID, else backup-<vm>-<unix seconds>.")
    var jobID: String?

    @Option(
        name: .customLong("disk"),
        help: """
            A disk to copy, as SOURCE=TARGET: files, block devices or NBD URIs (nbd://HOST:PORT/EXPORT, \
            nbd+unix:///EXPORT?socket=PATH, nbds://…). With --nbd-targets only SOURCE. Repeat it; the order gives \
            the index.
            """
    )
    var disks: [String] = []

    @Option(
        help: """
            Where the disks go, as KEY:URI with commas between, KEY being 2000 and the disk's index, like \
            2000:nbd://127.0.0.1:10100/vm-disk0. The sources come from --disk or the inventory.
            """
    )
    var nbdTargets: String?

    @Option(help: "The inventory. Default: $SENDENSE_SBC_CONFIG, else \(BackupPlan.defaultInventory).")
    var config: String?

    @Option(help: "The kind of backup: full or incremental. Default: full.")
    var type: String?

    @Flag(help: "Copy only what --bitmap or --changed-blocks call changed; the same as --type incremental.")
    var incremental = false

    @Option(help: "The dirty bitmap of QEMU's that the sources export, as qemu-nbd -B NAME does.")
    var bitmap: String?

    @Option(
        name: .customLong("changed-blocks"),
        help: """
            A changed-block list: a JSON array of {"offset": bytes, "length": bytes}, or what VMware's \
            QueryChangedDiskAreas gives. Repeat it, once for each disk, in the disks' order.
            """
    )
    var changedBlocks: [String] = []

    @Flag(help: "Read and write files and block devices past the system's cache (O_DIRECT).")
    var direct = false

    @Flag(help: "Have NBD targets make each write durable before they answer (FUA), where they can.")
    var fua = false

    @Flag(help: "Hash what is copied, read it back from the target and compare.")
    var verify = false

    @Option(
        help: """
            Connections to each server, where it allows several, 1 to 16. Default: one per processor, up to 4.
            """
    )
    var connections: Int?

    @Option(help: "Requests in flight on each connection, 1 to 128. Default: 4.")
    var requests: Int?

    @Option(help: "The most bytes of one request, with K or M in base 1024, 64K to 32M. Default: 2M.")
    var requestSize: String?

    @Option(help: "Bytes written on a connection between flushes, with M or G in base 1024. Default: 128M.")
    var flushEvery: String?

    @Option(
        name: .customLong("reconnect-timeout"),
        help: "Seconds to wait for a server that went away, before the backup fails."
    )
    var reconnectTimeout = 60

    @Option(help: "The repository that the hub files the backup under.")
    var repositoryID: String?

    @Option(
        name: .customLong("hub-column"),
        help: """
            A value that the hub's own tables demand of a new backup, as NAME=VALUE, like \
            vm_context_id=ctx-1. Repeat it; the hub's answer names what is missing.
            """
    )
    var hubColumns: [String] = []

    @Option(help: "The change id of the copied state. Default: one made of the job, the disk and the time.")
    var changeID: String?

    @OptionGroup(title: "The hub") var hub: HubArguments

    @Option(help: "The most bytes per second for the whole job, with K, M or G in base 1024, like 50M.")
    var rateLimit: String?

    @Option(
        help: """
            A command that makes the snapshot, run by /bin/sh -c before the disks are opened. It is told of the \
            backup by variables: SENDENSE_VM, SENDENSE_JOB_ID, SENDENSE_DISK_0_SOURCE and others.
            """
    )
    var snapshotCommand: String?

    @Option(
        help: "A command that lets go of the snapshot, run on every way out, with SENDENSE_OUTCOME besides."
    )
    var releaseCommand: String?

    @Option(name: .customLong("hook-timeout"), help: "Seconds that each of the two may take. Default: 300.")
    var hookTimeout: Int?

    @Flag(help: "Tell the hub nothing at all.")
    var noTelemetry = false

    @Flag(
        help: "Only show what would be done, and whether the disks can be read and written. Changes nothing."
    )
    var dryRun = false

    @Flag(help: "Write events to standard output, one JSON object per line.")
    var json = false

    @Flag(help: "Write nothing to standard output.")
    var quiet = false

    @OptionGroup(title: "Log and state") var place: PlaceArguments

    @Option(help: "Which run of the job this is, from 1. Default: one more than the last known.")
    var attempt: Int64?

    @Option(help: "Seconds to go on delivering reports once the copy has ended.")
    var drainTimeout = 30

    func run() throws {
        let plan: BackupPlan
        do throws(UsageError) {
            plan = try BackupPlan(
                options,
                environment: ProcessInfo.processInfo.environment,
                nowMilliseconds: Int64(Date().timeIntervalSince1970 * 1000)
            )
        } catch {
            Output.complain("error: \(error)")
            throw ExitCode(ExitStatus.usage)
        }
        SignalWatch.ignoreBrokenPipes()
        if dryRun { throw ExitCode(DryRun(plan: plan).run()) }
        let sink = try LogPlace(plan).open()
        Logs.bootstrap(format: plan.logFormat, sink: sink)
        let run = BackupRun(plan: plan, logger: Logger(label: "sbc"))
        let stop = run.stop
        SignalWatch.start { stop.heard($0, count: $1) }
        let code = run.run()
        Output.settle(log: sink)
        throw ExitCode(code)
    }

    private var options: BackupOptions {
        BackupOptions(
            vm: vm,
            jobID: jobID,
            disks: disks,
            nbdTargets: nbdTargets,
            config: config,
            type: type,
            isIncremental: incremental,
            bitmap: bitmap,
            changedBlocks: changedBlocks,
            repositoryID: repositoryID,
            hubColumns: hubColumns,
            changeID: changeID,
            hubURL: hub.hubURL,
            hubTokenFile: hub.hubTokenFile,
            hubCAFile: hub.hubCAFile,
            rateLimit: rateLimit,
            isDirect: direct,
            isForcing: fua,
            isVerifying: verify,
            connections: connections,
            requests: requests,
            requestSize: requestSize,
            flushEvery: flushEvery,
            reconnectTimeoutSeconds: reconnectTimeout,
            snapshotCommand: snapshotCommand,
            releaseCommand: releaseCommand,
            hookTimeoutSeconds: hookTimeout,
            noTelemetry: noTelemetry,
            json: json,
            quiet: quiet,
            logFile: place.logFile,
            logFormat: place.logFormat,
            attempt: attempt,
            stateDirectory: place.stateDirectory,
            drainTimeoutSeconds: drainTimeout
        )
    }
}
