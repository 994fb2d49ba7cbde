import Foundation
import StackSupport
import TestSupport

extension Scenario {
    /// What ingest keeps for old clients while the path behind it is down.
    static let outbox: [Scenario] = [
        Scenario(
            name: "outbox-killed",
            summary: "ingest is killed 12 times with messages in its outbox, also while it drains",
            run: killWithOutbox
        ),
        Scenario(
            name: "outbox-disk-full",
            summary: "the disk of the outbox is full",
            needs: [.namespaces],
            run: fillOutboxDisk
        ),
        Scenario(
            name: "outbox-damaged",
            summary: "the outbox's files are cut or bits in them flipped at random places, 12 times",
            run: damageOutbox
        ),
    ]

    @Sendable private static func killWithOutbox(_ trial: Trial) throws {
        let site = try trial.site()
        var generator = trial.generator()
        let load = Load(trial, site, new: 4, old: 24)
        for number in 0..<12 {
            try trial.outage {
                site.writers[0].kill9()
                pause(milliseconds: UInt32.random(in: 500...2500, using: &generator))
                site.ingests[0].kill9()
                trial.fault(2)
                try site.ingests[0].start()
                try site.writers[0].start()
                if number.isMultiple(of: 2) {
                    // In the middle of draining.
                    pause(milliseconds: UInt32.random(in: 100...900, using: &generator))
                    site.ingests[0].kill9()
                    trial.fault()
                    try site.ingests[0].start()
                }
                for service in site.services { try service.waitUntilReady() }
            }
            load.expectService("after the writer was back")
        }
        trial.expectKept(load)
        try trial.settle(site, load)
    }

    @Sendable private static func fillOutboxDisk(_ trial: Trial) throws {
        let disk = try SmallDisk(mebibytes: 4)
        trial.atEnd { disk.remove() }
        let site = try trial.site(Site.Plan(outboxFolder: disk.folder))
        trial.atEnd { for ingest in site.ingests { ingest.kill9() } }
        let load = Load(trial, site, new: 4, old: 24)
        for left in [0, 64, 600] {
            try trial.outage {
                try disk.fill(leavingKibibytes: left)
                site.writers[0].kill9()
                trial.fault(2)
                pause(milliseconds: 6000)
                if left == 64 {
                    site.ingests[0].kill9()
                    trial.fault()
                    try site.ingests[0].start()
                    pause(milliseconds: 1000)
                }
                try disk.free()
                pause(milliseconds: 1000)
                try site.writers[0].start()
                for service in site.services { try service.waitUntilReady() }
            }
            load.expectService("after there was room again")
        }
        trial.expectKept(load)
        try trial.settle(site, load)
    }

    @Sendable private static func damageOutbox(_ trial: Trial) throws {
        let site = try trial.site()
        var generator = trial.generator()
        let load = Load(trial, site, new: 4, old: 24)
        for _ in 0..<12 {
            try trial.outage {
                site.writers[0].kill9()
                pause(milliseconds: UInt32.random(in: 300...1500, using: &generator))
                site.ingests[0].kill9()
                for place in try Damage.random(site.outboxes[0], &generator) { trial.note(place) }
                trial.fault()
                try site.ingests[0].start()
                let isOpen = eventually(seconds: 10) {
                    (try? HTTPConnection(port: site.ports[0]).request("GET", "/health"))?.status == 200
                }
                trial.expect(isOpen, "ingest does not start on a damaged outbox")
                try site.writers[0].start()
                for service in site.services { try service.waitUntilReady() }
            }
            load.expectService("after the damage")
        }
        trial.expectKept(load)
        var way = Settling()
        way.mayMissKept = true
        try trial.settle(site, load, way)
    }
}

extension Trial {
    /// A scenario about kept messages that saw none has shown nothing.
    func expectKept(_ load: Load) {
        note("\(load.keptCount) messages were answered 202")
        expect(load.keptCount > 0, "no message was answered 202")
    }
}

/// What a disk may do to a file.
enum Damage {
    /// Damages one of a database's files at a random place.
    ///
    /// - Returns: what was done, in a line each.
    /// - Throws: where a file cannot be read or written.
    static func random(_ path: String, _ generator: inout SplitMix64) throws -> [String] {
        let folder = (path as NSString).deletingLastPathComponent
        let name = (path as NSString).lastPathComponent
        let files = try FileManager.default.contentsOfDirectory(atPath: folder)
            .filter { $0 == name || $0 == "\(name)-wal" }
            .sorted()
        guard let file = files.randomElement(using: &generator) else { return [] }
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(file)")))
        guard !bytes.isEmpty else { return ["\(file) was empty"] }
        let size = bytes.count
        let done: String
        if Int.random(in: 0..<3, using: &generator) == 0 {
            bytes.removeLast(Int.random(in: 1...size, using: &generator))
            done = "\(file) was cut from \(size) to \(bytes.count) bytes"
        } else {
            let count = Int.random(in: 1...16, using: &generator)
            for _ in 0..<count {
                bytes[Int.random(in: 0..<size, using: &generator)] ^=
                    1 << UInt8.random(in: 0...7, using: &generator)
            }
            done = "\(count) bits of \(file) (\(size) bytes) were flipped"
        }
        try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(file)"))
        return [done]
    }
}
