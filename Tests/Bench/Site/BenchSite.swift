import Database
import Foundation
import Glibc
import StackSupport
import TestSupport

/// The services that a part measures, on a database of the bench.
final class BenchSite {
    let database: BenchDatabase
    let writer: ServiceProcess
    let ingest: ServiceProcess
    let detector: ServiceProcess
    let ingestPort: Int
    let writerEndpoint: String
    private let folder: String

    /// - Parameters:
    ///   - database: where they store.
    ///   - variables: more variables for all of them.
    /// - Throws: `EndToEndError` where there are no ports.
    init(_ database: BenchDatabase, variables: [String: String] = [:]) throws {
        self.database = database
        folder = try Leftovers.newFolder()
        let settings = database.settings
        let common = [
            "SENDENSE_DATABASE_SOCKET": settings.socketPath ?? "",
            "SENDENSE_DATABASE_NAME": settings.database, "SENDENSE_DATABASE_USER": settings.user,
        ].merging(variables) { $1 }
        let (folder, port) = (folder, try ServicePorts.take())
        let endpoint = "tcp://127.0.0.1:\(try ServicePorts.take())"
        func service(_ kind: ServiceProcess.Kind, _ own: [String: String]) throws -> ServiceProcess {
            let admin = ("127.0.0.1", try ServicePorts.take())
            let name = kind.rawValue.uppercased().replacingOccurrences(of: "-", with: "_")
            let place = ["SENDENSE_\(name)_ADMIN": "\(admin.0):\(admin.1)"]
            return ServiceProcess(
                kind,
                name: kind.rawValue,
                folder: folder,
                admin: admin,
                variables: common.merging(place) { $1 }.merging(own) { $1 }
            )
        }
        writer = try service(.writer, ["SENDENSE_WRITER_BIND": endpoint])
        ingest = try service(
            .ingest,
            [
                "SENDENSE_INGEST_LISTEN": "127.0.0.1:\(port)", "SENDENSE_WRITERS": endpoint,
                "SENDENSE_OUTBOX": "\(folder)/outbox.sqlite",
            ]
        )
        detector = try service(.staleDetector, [:])
        ingestPort = port
        writerEndpoint = endpoint
    }

    deinit { Leftovers.remove(folder: folder) }

    /// Starts services, and waits until they are ready.
    func start(_ services: [ServiceProcess]) throws {
        for service in services { try service.start() }
        for service in services { try service.waitUntilReady() }
    }

    /// Ends all that runs.
    ///
    /// - Throws: `EndToEndError` for a service that did not end in order.
    func stop() throws {
        for service in [ingest, detector, writer] where service.isMeantToRun {
            let status = service.terminate()
            guard status == 0 else {
                let log = Launcher.logTail(service.logPath)
                throw EndToEndError("\(service.name) ended with status \(status ?? -1): \(log)")
            }
        }
    }

    /// Lets the peaks of all processes' memory begin anew.
    func forgetMemoryPeaks() throws {
        for process in meter().processes { try Memory.forgetPeak(of: process.pid) }
    }

    /// The peaks since then, as values of a sample.
    func memoryPeaks() throws -> [String: Double] {
        var values: [String: Double] = [:]
        for process in meter().processes {
            let byteCount = try Memory.peakByteCount(of: process.pid)
            values["\(process.name)_memory_mib"] = Double(byteCount) / 1_048_576
        }
        return values
    }

    /// Reads the CPU time of the database and of the services that run.
    func meter() -> Meter {
        let running = [ingest, writer, detector].compactMap { service in
            service.processID.map { (service.name, $0) }
        }
        return Meter(processes: [("mariadbd", database.server.processID)] + running)
    }
}
