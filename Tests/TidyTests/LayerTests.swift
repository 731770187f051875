import Testing

/// Imports point down. A target that is not in the table may not exist.
@Suite struct LayerTests {
    /// What a target may import.
    struct Layer {
        let ours: Set<String>
        /// Modules of others. A name that ends with `*` stands for all that begin with it.
        var others: Set<String> = []
    }

    private static let system: Set<String> = ["Foundation", "FoundationEssentials", "Glibc", "Dispatch"]

    /// The module graph of `docs/architecture.md`, from the bottom up.
    static let layers: [String: Layer] = [
        "EventStore": Layer(ours: [], others: ["Crypto"]),
        "TransparencyLog": Layer(ours: ["EventStore"], others: ["Crypto"]),
        "LogService": Layer(ours: ["EventStore", "TransparencyLog"]),
        "Appointments": Layer(ours: ["EventStore"]),
        "Projections": Layer(ours: ["EventStore", "Appointments"]),
        "Replay": Layer(ours: ["EventStore", "TransparencyLog", "Appointments", "Projections"]),
        "Handlers": Layer(ours: ["EventStore", "Appointments", "Projections"], others: ["Logging"]),
        "API": Layer(
            ours: [
                "EventStore", "TransparencyLog", "LogService", "Appointments", "Projections", "Replay", "Handlers",
            ],
            others: ["Glibc", "Logging"]),
        "MemoryEngine": Layer(
            ours: ["EventStore", "TransparencyLog", "LogService", "Appointments", "Projections", "Handlers"]),
        "SQLiteEngine": Layer(
            ours: [
                "EventStore", "TransparencyLog", "LogService", "Appointments", "Projections", "Handlers", "Migrations",
            ],
            others: system.union(["GRDB", "GRDBSQLite"])),
        "AWSEngine": Layer(
            ours: ["EventStore", "Appointments", "Projections", "Handlers", "HTTPClient"],
            others: ["Glibc", "Logging"]),
        "Migrations": Layer(ours: []),
        "PostgresEngine": Layer(
            ours: ["EventStore", "TransparencyLog", "Appointments", "Projections", "Handlers", "Migrations"],
            others: ["CPostgres", "Glibc", "Dispatch"]),
        "HTTPClient": Layer(ours: [], others: ["CCurl", "Dispatch"]),
        "HTTPServer": Layer(
            ours: ["EventStore", "Handlers", "API"],
            others: system.union(["Hummingbird", "HummingbirdCore", "HTTPTypes", "NIO*", "Logging", "ServiceLifecycle"])
        ),
        "LambdaRuntime": Layer(
            ours: ["EventStore", "Handlers", "API", "HTTPClient"], others: ["Glibc", "Logging"]),
        "HostSystem": Layer(ours: ["EventStore", "TransparencyLog"], others: ["Dispatch", "Glibc", "Logging"]),
        // Neither SQLite nor a server of HTTP: the package that Lambda starts is small.
        "bootstrap": Layer(
            ours: [
                "EventStore", "Appointments", "Projections", "Replay", "Handlers", "API", "HTTPClient", "AWSEngine",
                "PostgresEngine", "LambdaRuntime", "HostSystem",
            ],
            others: ["Dispatch", "Glibc", "Logging"]),
        "ledger": Layer(
            ours: [
                "EventStore", "TransparencyLog", "LogService", "Appointments", "Projections", "Replay", "Handlers",
                "API", "SQLiteEngine", "PostgresEngine", "AWSEngine", "HTTPClient", "HTTPServer", "HostSystem",
            ],
            others: system.union([
                "ArgumentParser", "Crypto", "Logging", "ServiceLifecycle", "UnixSignals",
            ])),
        // It measures what SQLite does by itself as well, so it has GRDB like the engine.
        "ledger-bench": Layer(
            ours: [
                "EventStore", "TransparencyLog", "Appointments", "Projections", "Replay", "Handlers", "SQLiteEngine",
                "PostgresEngine", "HostSystem",
            ],
            others: system.union(["ArgumentParser", "GRDB", "GRDBSQLite", "Logging"])),
    ]

    /// Parts of the standard library that cost nothing.
    private static let free: Set<String> = ["Synchronization"]

    static func strayImports(_ files: [Source]) -> [Offence] {
        files.flatMap { file -> [Offence] in
            guard let layer = layers[file.target] else {
                return [file.offence(1, "target \(file.target) is in no layer: add it to LayerTests")]
            }
            let allowed = layer.ours.union(layer.others).union(free)
            return file.imports.filter { !permits(allowed, $0.module) }.map { imported in
                file.offence(imported.line, "\(file.target) may not import \(imported.module)")
            }
        }
    }

    static func foundationImports(_ files: [Source]) -> [Offence] {
        let pure: Set<String> = [
            "EventStore", "TransparencyLog", "LogService", "Appointments", "Projections", "Replay", "Handlers", "API",
            "MemoryEngine", "HTTPClient", "AWSEngine", "LambdaRuntime", "HostSystem", "bootstrap",
        ]
        return files.filter { pure.contains($0.target) }.flatMap { file in
            file.imports.filter { $0.module.hasPrefix("Foundation") }.map { imported in
                file.offence(imported.line, "\(file.target) works without \(imported.module)")
            }
        }
    }

    private static func permits(_ allowed: Set<String>, _ module: String) -> Bool {
        allowed.contains(module)
            || allowed.contains { $0.hasSuffix("*") && module.hasPrefix($0.dropLast()) }
    }

    @Test("a target imports only what stands below it, and a foreign library has one owner")
    func imports() { expectNone(Self.strayImports(SourceTree.sources)) }

    @Test("nothing below the transports imports Foundation")
    func foundation() { expectNone(Self.foundationImports(SourceTree.sources)) }

    @Test("only the three programs import an engine, and the table has no circle")
    func table() {
        let importers = Self.layers.filter { $0.value.ours.contains { $0.hasSuffix("Engine") } }.map(\.key).sorted()
        #expect(importers == ["bootstrap", "ledger", "ledger-bench"])
        for (target, layer) in Self.layers {
            for below in layer.ours { #expect(Self.layers[below]?.ours.contains(target) == false) }
        }
    }

    @Test("the layer rules find what is planted")
    func planted() {
        let bad = Source(
            "Sources/Appointments/Bad.swift",
            """
            package import EventStore
            private import struct Foundation.URL
            // import GRDB
            @preconcurrency import Handlers
            let text = "import Logging"
            """)
        #expect(lines(Self.strayImports([bad])) == [2, 4])
        #expect(lines(Self.foundationImports([bad])) == [2])
        #expect(lines(Self.strayImports([Source("Sources/Common/Bad.swift", "import EventStore\n")])) == [1])
        #expect(
            Self.strayImports([Source("Sources/HTTPServer/Good.swift", "import NIOCore\nimport Handlers\n")]).isEmpty)
    }
}
