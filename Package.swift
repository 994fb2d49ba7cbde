// swift-tools-version: 6.2

import PackageDescription

/// One set of rules for every target: a warning is an error, memory safety is explicit.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("ImmutableWeakCaptures"),
]

/// `./dev fuzz` sets it, for a build of its own. The runner has to link the ingest's code, which SwiftPM
/// allows only for a library, so that there `Ingest` is one; its entry point must then not be called `main`.
let isFuzzing = Context.environment["SENDENSE_FUZZ"] == "1"

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

func shared(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .target(
        name: name,
        dependencies: dependencies,
        path: "Shared/\(name)",
        exclude: exclude,
        swiftSettings: strict
    )
}

func service(_ name: String, folder: String, _ dependencies: [Target.Dependency]) -> Target {
    guard !isFuzzing else {
        let entryPoint = ["-Xfrontend", "-entry-point-function-name", "-Xfrontend", "\(name)_main"]
        return .target(
            name: name,
            dependencies: dependencies,
            path: "Services/\(folder)",
            swiftSettings: strict + [.unsafeFlags(entryPoint)]
        )
    }
    return .executableTarget(
        name: name,
        dependencies: dependencies,
        path: "Services/\(folder)",
        swiftSettings: strict
    )
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(
        name: name,
        dependencies: dependencies + ["TestSupport"],
        path: "Tests/\(name)",
        swiftSettings: strict
    )
}

/// The bodies of the fuzz targets are compiled twice: here into tests that replay the corpus, and by
/// `./dev fuzz` into the runner for libFuzzer.
func fuzz() -> [Target] {
    let dependencies: [Target.Dependency] = [
        "Ingest", "JobModel", "ServiceKit", "TelemetryContract", "TestSupport", "Wire", nioCore, nioEmbedded,
    ]
    guard isFuzzing else {
        return [
            .testTarget(
                name: "FuzzTests",
                dependencies: dependencies,
                path: "Tests/Fuzz",
                exclude: ["CLibFuzzer", "Runner", "corpus", "dictionaries"],
                swiftSettings: strict
            )
        ]
    }
    return [
        .systemLibrary(name: "CLibFuzzer", path: "Tests/Fuzz/CLibFuzzer"),
        .executableTarget(
            name: "FuzzRunner",
            dependencies: dependencies + ["CLibFuzzer"],
            path: "Tests/Fuzz",
            exclude: ["CLibFuzzer", "Replay", "corpus", "dictionaries"],
            swiftSettings: strict
        ),
    ]
}

let services: [Product] = [
    .executable(name: "sendense-ingest", targets: ["Ingest"]),
    .executable(name: "sendense-writer", targets: ["Writer"]),
    .executable(name: "sendense-stale-detector", targets: ["StaleDetector"]),
    .executable(name: "sendense-backup-client", targets: ["SBC"]),
]

let package = Package(
    name: "sendense-telemetry",
    products: isFuzzing
        ? [] : services + [.library(name: "ClockStep", type: .dynamic, targets: ["ClockStep"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(
            url: "https://github.com/apple/swift-configuration",
            exact: "1.4.0",
            traits: ["CommandLineArguments", "JSON"]
        ),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", exact: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0"),
        // Without its default traits Hummingbird links FoundationEssentials only (no ICU).
        .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        // Latencies of the bench: no product has it.
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", exact: "0.2.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1", traits: []),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
    ],
    targets: [
        // C libraries: a module map and a shim header, nothing else.
        .systemLibrary(name: "CCurl", path: "Shared/CCurl"),
        .systemLibrary(name: "CEpoll", path: "Shared/CEpoll"),
        .systemLibrary(name: "CMariaDB", path: "Shared/CMariaDB"),
        .systemLibrary(name: "CNBD", path: "Shared/CNBD"),
        .systemLibrary(name: "CZeroMQ", path: "Shared/CZeroMQ"),
        // Ours, since what the calls need of the system's headers would be declared twice.
        .target(name: "CLinux", path: "Shared/CLinux", publicHeadersPath: "."),

        // Shared modules; dependencies point one way, towards JobModel.
        shared("JobModel"),
        shared("TelemetryContract", ["JobModel"]),
        shared("Wire", ["JobModel", protobuf], exclude: ["envelope.proto"]),
        shared("Threading", ["CLinux"]),
        shared("Logs", ["Threading", logging]),
        shared("MessageBus", ["CZeroMQ", "Threading"]),
        shared("Database", ["CMariaDB", "JobModel", "Threading"]),
        shared("Curl", ["CCurl"]),
        shared("NBD", ["CNBD"]),
        shared(
            "ServiceKit",
            [
                "Logs", "Threading", configuration, hummingbird, logging, metrics, serviceLifecycle,
                systemPackage,
                unixSignals,
            ]
        ),
        shared("DatabaseKit", ["Database", "ServiceKit", "Threading", logging]),
        shared("TestSupport", ["Database", "JobModel", "TelemetryContract"]),
        // What end-to-end tests and the fault lab share: real processes, and clients of theirs.
        shared("StackSupport", ["Database", "TestSupport", "Threading"]),

        // Services never import one another.
        service(
            "Ingest",
            folder: "ingest",
            [
                "CEpoll", "JobModel", "MessageBus", "ServiceKit", "TelemetryContract", "Threading", "Wire",
                logging, grdb, metrics,
                nioCore, nioHTTP1, nioPosix, serviceLifecycle,
            ]
        ),
        service(
            "Writer",
            folder: "writer",
            [
                "Database", "DatabaseKit", "JobModel", "Logs", "MessageBus", "ServiceKit", "Threading",
                "Wire",
                logging, metrics,
                serviceLifecycle,
            ]
        ),
        service(
            "StaleDetector",
            folder: "stale-detector",
            [
                "Database", "DatabaseKit", "JobModel", "ServiceKit", "Threading", logging, metrics,
                serviceLifecycle,
            ]
        ),
        service(
            "SBC",
            folder: "sbc",
            ["CLinux", "Curl", "Logs", "NBD", "Threading", argumentParser, logging, yams]
        ),

        tests("JobModelTests", ["JobModel"]),
        tests("TelemetryContractTests", ["JobModel", "TelemetryContract"]),
        tests("WireTests", ["JobModel", "Wire"]),
        tests("MessageBusTests", ["MessageBus", "Threading"]),
        tests("DatabaseTests", ["Database", "JobModel", "Threading"]),
        tests("ServiceKitTests", ["ServiceKit", metrics]),
        tests(
            "IngestTests",
            [
                "Ingest", "JobModel", "MessageBus", "ServiceKit", "TelemetryContract", "Threading", "Wire",
                logging,
                serviceLifecycle,
            ]
        ),
        tests(
            "WriterTests",
            [
                "Writer", "Database", "DatabaseKit", "JobModel", "MessageBus", "ServiceKit", "Threading",
                "Wire",
                logging, serviceLifecycle,
            ]
        ),
        tests("NBDTests", ["NBD"]),
        tests("SBCTests", ["SBC", "Curl", "Logs", "NBD", "Threading", argumentParser, logging]),
        tests("StaleDetectorTests", ["StaleDetector", "Database", "JobModel", "ServiceKit", logging]),
        tests(
            "SimulationTests",
            [
                "Ingest", "Writer", "StaleDetector", "Database", "JobModel", "ServiceKit", "Threading",
                "Wire",
                logging,
            ]
        ),
        tests("EndToEndTests", ["Bench", "Database", "FaultLab", "StackSupport"]),
        tests("BenchTests", ["Bench", "Database", "JobModel", "StackSupport", "TelemetryContract"]),

        // Preloaded into services by the fault lab, to set their wall clock.
        .target(name: "ClockStep", path: "Tests/ClockStep"),

        // ./dev faults: real processes under every fault that we know; no product.
        .executableTarget(
            name: "FaultLab",
            dependencies: [
                "Database", "JobModel", "StackSupport", "TelemetryContract", "TestSupport", "Threading",
            ],
            path: "Tests/FaultLab",
            swiftSettings: strict
        ),

        // ./dev bench: speed, latency and cost beside the limits of the machine; no product.
        .executableTarget(
            name: "Bench",
            dependencies: [
                "CEpoll", "Database", "JobModel", "MessageBus", "StackSupport", "TestSupport", "Threading",
                "Wire", histogram,
            ],
            path: "Tests/Bench",
            swiftSettings: strict
        ),
    ] + fuzz()
)
