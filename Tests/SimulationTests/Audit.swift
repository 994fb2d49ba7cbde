import JobModel

/// What a job's row has to be at the end, by what its client told and what it was answered.
struct Audit {
    private let world: World
    private let client: SimulatedClient
    private let job: Job

    init(_ world: World, _ client: SimulatedClient, _ job: Job) {
        self.world = world
        self.client = client
        self.job = job
    }

    func run() {
        checkAcknowledged()
        checkBytes()
        checkOrder()
        checkSilence()
        if client.hasFinished, client.script.isNew { checkReplay() }
    }

    /// Every 2xx took effect: the message itself did, or a later progress that says all that it said.
    private func checkAcknowledged() {
        let log = world.database.log[client.job] ?? []
        let newest = log.max() ?? 0
        for (tag, message) in client.acknowledged {
            // An ingest that is gone for good has what it keeps until it comes back.
            let isStored = message.isProgress ? newest >= tag : log.contains(tag)
            world.expect(isStored, "\(world.words(message)) was acknowledged and took no effect")
        }
    }

    private func checkBytes() {
        let size = client.script.totals.reduce(0, +)
        // Of several disks nobody can tell whose numbers are without entries, once a disk's end was never heard.
        guard client.script.hasEntries || client.script.totals.count == 1 else { return }
        world.expect(job.bytes <= size, "\(client.job) has \(job.bytes) of \(size) bytes")
        let told = client.acknowledged.values.reduce(Int64(0)) { most, message in
            if case .report(let report) = message { return max(most, report.bytes) }
            return most
        }
        world.expect(job.bytes >= told, "\(client.job) has \(job.bytes) bytes; \(told) were acknowledged")
    }

    /// What an old client was acknowledged took effect in the order in which it told it.
    private func checkOrder() {
        guard !client.script.isNew, !client.hasMoved else { return }
        let log = (world.database.effects[client.job] ?? []).filter { client.acknowledged[$0] != nil }
        world.expect(log == log.sorted(), "\(client.job)'s messages took effect in the order \(log)")
    }

    private func checkSilence() {
        guard !job.isFinal else { return }
        let isOurs = client.isLive && !client.isCutOff
        if isOurs {
            world.expect(job.status == .running, "\(client.job) lives and is \(job.status.rawValue)")
        } else if !client.isLive, job.hasTelemetry {
            world.expect(
                job.status == .failed,
                "\(client.job)'s client is dead since \(client.lastToldAt) ms, and it is \(job.status.rawValue)"
            )
        }
    }

    /// Disorder has changed nothing: the row is what the messages make of it one after the other.
    private func checkReplay() {
        var expected: Job?
        _ = Job.apply(.registration(client.script.registration), to: &expected)
        for message in client.told { _ = Job.apply(message, to: &expected) }
        guard var expected else { return }
        var actual = job
        if expected.isFinal { (expected.seq, actual.seq) = (0, 0) }
        world.expect(actual == expected, "\(client.job) is \(actual), and not \(expected)")
    }
}
