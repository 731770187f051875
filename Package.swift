// swift-tools-version: 6.2
import PackageDescription

/// Every target is strict in the same way: Swift 6 mode, warnings as errors, the upcoming features of the style guide.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
// The C interface under GRDB, for the rows that are read and written by the million.
let sqlite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let hummingbird = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nio: [Target.Dependency] = ["NIOCore", "NIOHTTP1", "NIOPosix"].map { .product(name: $0, package: "swift-nio") }
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
    name: "appointment-ledger",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "ledger", targets: ["ledger"]),
        .executable(name: "bootstrap", targets: ["bootstrap"]),
        .executable(name: "ledger-bench", targets: ["ledger-bench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Vocabulary and domain: pure.
        .target(name: "EventStore", dependencies: [crypto], swiftSettings: strict),
        .target(name: "TransparencyLog", dependencies: ["EventStore", crypto], swiftSettings: strict),
        // What a ledger does with its log: signs, serves and proves.
        .target(name: "LogService", dependencies: ["EventStore", "TransparencyLog"], swiftSettings: strict),
        .target(name: "Appointments", dependencies: ["EventStore"], swiftSettings: strict),
        // Read side.
        .target(name: "Projections", dependencies: ["EventStore", "Appointments"], swiftSettings: strict),
        .target(
            name: "Replay", dependencies: ["EventStore", "TransparencyLog", "Appointments", "Projections"],
            swiftSettings: strict),
        // What happens when something arrives.
        .target(
            name: "Handlers", dependencies: ["EventStore", "Appointments", "Projections", logging],
            swiftSettings: strict),
        // The REST API, whatever transport brings a request.
        .target(
            name: "API",
            dependencies: [
                "EventStore", "TransparencyLog", "LogService", "Appointments", "Projections", "Replay", "Handlers",
                logging,
            ],
            resources: [.embedInCode("openapi.yaml")], swiftSettings: strict),
        // Engines.
        .target(
            name: "MemoryEngine",
            dependencies: [
                "EventStore", "TransparencyLog", "LogService", "Appointments", "Projections", "Handlers",
            ],
            swiftSettings: strict),
        .target(
            name: "Migrations", path: "migrations", exclude: ["README.md"], sources: ["Migrations.swift"],
            resources: [
                .embedInCode("country"), .embedInCode("embedded"), .embedInCode("ledger"), .embedInCode("monitor"),
                .embedInCode("witness"),
            ],
            swiftSettings: strict),
        .target(
            name: "SQLiteEngine",
            dependencies: [
                "EventStore", "TransparencyLog", "LogService", "Appointments", "Projections", "Handlers", "Migrations",
                grdb, sqlite,
            ],
            swiftSettings: strict),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .target(name: "HTTPClient", dependencies: ["CCurl"], swiftSettings: strict),
        .target(
            name: "AWSEngine",
            dependencies: ["EventStore", "Appointments", "Projections", "Handlers", "HTTPClient", logging],
            swiftSettings: strict),
        .systemLibrary(name: "CPostgres", providers: [.apt(["libpq-dev"])]),
        .target(
            name: "PostgresEngine",
            dependencies: [
                "EventStore", "TransparencyLog", "Appointments", "Projections", "Handlers", "Migrations", "CPostgres",
            ],
            swiftSettings: strict),
        // Transport.
        .target(
            name: "HTTPServer",
            dependencies: ["EventStore", "API", "Handlers", hummingbird, logging, serviceLifecycle] + nio,
            swiftSettings: strict),
        .target(
            name: "LambdaRuntime", dependencies: ["EventStore", "API", "Handlers", "HTTPClient", logging],
            swiftSettings: strict),
        // The machine: clock, random numbers, environment, output.
        .target(name: "HostSystem", dependencies: ["EventStore", "TransparencyLog", logging], swiftSettings: strict),
        // Programs.
        .executableTarget(
            name: "bootstrap",
            dependencies: [
                "EventStore", "Appointments", "Projections", "Replay", "Handlers", "API", "AWSEngine",
                "PostgresEngine", "HTTPClient", "LambdaRuntime", "HostSystem", logging,
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "ledger",
            dependencies: [
                "EventStore", "TransparencyLog", "LogService", "Appointments", "Projections", "Replay", "Handlers",
                "API", "SQLiteEngine", "PostgresEngine", "AWSEngine", "HTTPClient", "HTTPServer", "HostSystem",
                argumentParser, logging, serviceLifecycle, unixSignals,
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "ledger-bench",
            dependencies: [
                "EventStore", "TransparencyLog", "Appointments", "Projections", "Replay", "Handlers", "SQLiteEngine",
                "PostgresEngine", "HostSystem", argumentParser, grdb, sqlite, logging,
            ],
            swiftSettings: strict),
        // Tests.
        .testTarget(
            name: "AppointmentsTests", dependencies: ["EventStore", "Appointments"], resources: [.copy("Golden")],
            swiftSettings: strict),
        .testTarget(name: "EventStoreTests", dependencies: ["EventStore"], swiftSettings: strict),
        .target(
            name: "TestTrees", dependencies: ["EventStore", "TransparencyLog"], path: "Tests/Support/TestTrees",
            swiftSettings: strict),
        .testTarget(
            name: "TransparencyLogTests",
            dependencies: ["EventStore", "TransparencyLog", "TestPrograms", "TestTrees"], swiftSettings: strict),
        .testTarget(
            name: "LogServiceTests",
            dependencies: [
                "EventStore", "TransparencyLog", "LogService", "Appointments", "MemoryEngine", "HostSystem",
                "TestEngines", "TestTrees",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "ProjectionsTests", dependencies: ["EventStore", "Appointments", "Projections", "MemoryEngine"],
            swiftSettings: strict),
        .testTarget(
            name: "HandlersTests",
            dependencies: [
                "EventStore", "Appointments", "Projections", "Replay", "Handlers", "API", "MemoryEngine", "HostSystem",
                logging,
            ],
            swiftSettings: strict),
        .target(
            name: "TestEngines",
            dependencies: [
                "EventStore", "TransparencyLog", "Appointments", "Projections", "Replay", "Handlers", "MemoryEngine",
                "SQLiteEngine", "PostgresEngine", "TestPostgres", "AWSEngine", "TestAWS",
            ],
            path: "Tests/Contracts/Engines", swiftSettings: strict),
        .testTarget(
            name: "Contracts",
            dependencies: [
                "EventStore", "TransparencyLog", "LogService", "HostSystem", "Appointments", "Projections", "Replay",
                "Handlers", "MemoryEngine", "SQLiteEngine", "PostgresEngine", "TestPostgres", "AWSEngine", "TestAWS",
                "TestEngines",
                "TestTrees",
            ],
            exclude: ["Engines"], swiftSettings: strict),
        .testTarget(
            name: "ReplayTests",
            dependencies: [
                "EventStore", "Appointments", "Projections", "Replay", "API", "PostgresEngine", "TestPostgres",
                "TestEngines",
            ],
            resources: [.copy("Golden")], swiftSettings: strict),
        .testTarget(
            name: "SQLiteEngineTests",
            dependencies: [
                "EventStore", "TransparencyLog", "Appointments", "Projections", "Replay", "Handlers", "API",
                "MemoryEngine", "SQLiteEngine", "Migrations", "TestEngines", "TestTrees", grdb, logging,
            ],
            swiftSettings: strict),
        .target(
            name: "TestPostgres", dependencies: ["EventStore", "PostgresEngine"],
            path: "Tests/Support/TestPostgres", swiftSettings: strict),
        .testTarget(
            name: "PostgresTests",
            dependencies: [
                "EventStore", "TransparencyLog", "Appointments", "Projections", "Replay", "Handlers", "MemoryEngine",
                "SQLiteEngine", "PostgresEngine", "TestPostgres", "TestEngines", "TestTrees", "HostSystem", logging,
            ],
            swiftSettings: strict),
        .target(
            name: "TestAWS", dependencies: ["EventStore", "Handlers", "HTTPClient", "AWSEngine"],
            path: "Tests/Support/TestAWS",
            swiftSettings: strict),
        .testTarget(
            name: "AWSEngineTests",
            dependencies: [
                "EventStore", "Appointments", "Projections", "Replay", "Handlers", "HTTPClient", "MemoryEngine",
                "AWSEngine", "TestAWS", "TestEngines", logging,
            ],
            resources: [.copy("Signatures")], swiftSettings: strict),
        .target(name: "TestPrograms", path: "Tests/Support/TestPrograms", swiftSettings: strict),
        .testTarget(
            name: "LambdaTests",
            dependencies: [
                "EventStore", "Appointments", "Projections", "Handlers", "API", "LambdaRuntime", "MemoryEngine",
                "AWSEngine", "PostgresEngine", "TestAWS", "TestPostgres", "TestPrograms", "bootstrap", "ledger",
                logging,
            ],
            swiftSettings: strict),
        .target(name: "RawHTTP", dependencies: ["EventStore"], path: "Tests/Support/RawHTTP", swiftSettings: strict),
        .testTarget(
            name: "APITests",
            dependencies: [
                "EventStore", "TransparencyLog", "LogService", "Appointments", "Projections", "Replay", "Handlers",
                "API", "HTTPServer", "RawHTTP", "MemoryEngine", "HostSystem", logging, serviceLifecycle, yams, nio[0],
            ],
            swiftSettings: strict),
        .testTarget(
            name: "LedgerTests",
            dependencies: [
                "EventStore", "TransparencyLog", "Appointments", "Handlers", "PostgresEngine", "RawHTTP", "TestAWS",
                "TestPostgres", "TestPrograms", "TestTrees", "ledger", "ledger-bench",
            ],
            swiftSettings: strict),
        .target(
            name: "Simulation",
            dependencies: [
                "EventStore", "Appointments", "Projections", "Replay", "Handlers", "API", "MemoryEngine", logging,
            ],
            path: "Tests/Simulation", swiftSettings: strict),
        .executableTarget(
            name: "ledger-simulator", dependencies: ["EventStore", "Simulation", argumentParser],
            path: "Tests/ledger-simulator", swiftSettings: strict),
        .testTarget(
            name: "SimulationTests", dependencies: ["EventStore", "Simulation", "ledger-simulator"],
            swiftSettings: strict),
        .testTarget(name: "TidyTests", swiftSettings: strict),
    ]
)

// For `make fuzz` alone: the program has no beginning of its own, libFuzzer brings it.
if Context.environment["LEDGER_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "ledger-fuzz", dependencies: ["EventStore", "TransparencyLog"], path: "Tests/Fuzz",
            exclude: ["seeds"], swiftSettings: strict))
}
