import JobModel

/// What goes wrong in a seed, and when. Everything is mended once the faults are over.
struct Faults {
    private enum Kind: Int64, CaseIterable {
        case writerKill, writerStop, ingestKill, ingestStop, ingestPause, databaseDown, databasePause
        case writerRefuses, laneStuck, rowHeld, clockStep, linkCut, detectorPause, outboxFull
    }

    private let world: World
    private var scheduler: Scheduler { world.scheduler }
    private var plan: Plan { world.plan }

    init(_ world: World) {
        self.world = world
    }

    /// Puts the seed's faults on the schedule.
    func schedule() {
        for _ in 0..<plan.faultCount {
            let at = scheduler.pick(2000...plan.quietMilliseconds - 1000)
            // Blinks, restarts, and outages longer than the thresholds.
            let longest = [800, 4000, 15_000, 60_000][Int(scheduler.pick(0...3))]
            let lasts = min(scheduler.pick(100...Int64(longest)), plan.quietMilliseconds - at)
            let kind = Kind.allCases[Int(scheduler.pick(0...Int64(Kind.allCases.count - 1)))]
            scheduler.after(at) { begin(kind, lasts) }
        }
        scheduler.after(plan.quietMilliseconds) { mend() }
    }

    private func begin(_ kind: Kind, _ lasts: Int64) {
        let until = scheduler.now + lasts
        scheduler.trace("FAULT \(kind) for \(lasts) ms")
        let database = world.database
        switch kind {
        case .writerKill, .writerStop, .ingestKill, .ingestStop: restart(kind, lasts)
        case .ingestPause: one(of: world.ingests).pausedUntil = until
        case .databaseDown:
            database.isDown = true
            scheduler.after(lasts) { database.isDown = false }
        case .databasePause: database.pausedUntil = until
        case .writerRefuses: one(of: world.writers).refusesUntil = until
        case .laneStuck:
            let lanes = one(of: world.writers).lanes
            if !lanes.isEmpty { one(of: lanes).stuckUntil = until }
        case .rowHeld: database.heldUntil[one(of: world.jobs)] = until
        case .clockStep:
            let steps: [ClosedRange<Int64>] = [-40_000...(-2000), -900...900, 8000...60_000]
            let step = scheduler.pick(one(of: steps))
            database.clockOffset += step
            world.setBackMilliseconds += max(0, -step)
        case .linkCut:
            let links = one(of: world.ingests).links
            if !links.isEmpty { one(of: links).cutUntil = until }
        case .detectorPause: one(of: world.detectors).pausedUntil = until
        case .outboxFull:
            let file = one(of: world.ingests).file
            file.isFull = true
            scheduler.after(lasts) { file.isFull = false }
        }
    }

    private func restart(_ kind: Kind, _ lasts: Int64) {
        let writer = one(of: world.writers)
        let ingest = one(of: world.ingests)
        switch kind {
        case .writerKill: writer.kill()
        case .writerStop: writer.stop()
        case .ingestKill: ingest.kill()
        default: ingest.stop()
        }
        let isWriter = kind == .writerKill || kind == .writerStop
        let laneCount = scheduler.chance(200) ? 3 - plan.laneCount : plan.laneCount
        scheduler.after(lasts) {
            if isWriter { writer.start(laneCount: laneCount) } else { ingest.start() }
        }
    }

    private func mend() {
        scheduler.trace("the faults are over")
        let database = world.database
        (database.isDown, database.pausedUntil, database.heldUntil) = (false, 0, [:])
        for writer in world.writers {
            writer.refusesUntil = 0
            for lane in writer.lanes { lane.stuckUntil = 0 }
            scheduler.after(600) { [plan] in writer.start(laneCount: plan.laneCount) }
        }
        for ingest in world.ingests {
            (ingest.pausedUntil, ingest.file.isFull) = (0, false)
            for link in ingest.links { link.cutUntil = 0 }
            scheduler.after(600) { ingest.start() }
        }
        for detector in world.detectors { detector.pausedUntil = 0 }
    }

    private func one<Element>(of elements: [Element]) -> Element {
        elements[Int(scheduler.pick(0...Int64(elements.count - 1)))]
    }
}
