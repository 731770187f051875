import Appointments
import EventStore
import LogService
import MemoryEngine
import SQLiteEngine
import TestEngines
import Testing
import TransparencyLog

@Suite("The contract of MonitorStore")
struct MonitorStoreContract {
    enum Kind: CaseIterable {
        case memory
        case sqlite

        func make() throws -> any MonitorStore {
            switch self {
            case .memory: MemoryMonitorStore()
            case .sqlite: SQLiteMonitorStore(try SideFile(.monitor, path: try ScratchFile().path))
            }
        }
    }

    private static let leaves = (0..<300).map { Hash(of: [UInt8($0 & 255), UInt8($0 >> 8)]) }

    private static func head(_ stream: Int, _ version: Int) -> Head {
        Head(stream: Samples.appointment(stream).stream, version: version, leaf: leaves[version])
    }

    @Test("a checkpoint takes the place of the one before and leaves what was read", arguments: Kind.allCases)
    func checkpoints(kind: Kind) async throws {
        let store = try kind.make()
        #expect(try await store.state() == nil)
        try await store.accept([1], isOpaque: true)
        #expect(try await store.state() == MonitorState(note: [1], read: 0, isOpaque: true))
        try await store.take(MonitoredPart(tile: 0, leaves: Array(Self.leaves[..<7]), known: 0, heads: []))
        try await store.accept([2], isOpaque: true)
        #expect(try await store.state() == MonitorState(note: [2], read: 7, isOpaque: true))
    }

    @Test("entries are kept tile by tile, with how far their streams have come", arguments: Kind.allCases)
    func entries(kind: Kind) async throws {
        let store = try kind.make()
        try await store.accept([1], isOpaque: false)
        let streams = Set((1...3).map { Samples.appointment($0).stream })
        #expect(try await store.heads(of: streams).isEmpty)
        let parts = [
            MonitoredPart(
                tile: 0, leaves: Array(Self.leaves[..<7]), known: 0, heads: [Self.head(1, 2), Self.head(2, 1)]),
            MonitoredPart(tile: 0, leaves: Array(Self.leaves[..<256]), known: 7, heads: [Self.head(1, 9)]),
            MonitoredPart(tile: 1, leaves: Array(Self.leaves[256...]), known: 0, heads: []),
        ]
        for part in parts { try await store.take(part) }
        #expect(try await store.state()?.read == 300)
        #expect(try await store.leaves(ofTile: 0) == Array(Self.leaves[..<256]))
        #expect(try await store.leaves(ofTile: 1) == Array(Self.leaves[256...]))
        #expect(try await store.leaves(ofTile: 2) == [])
        let heads = try await store.heads(of: streams)
        #expect(heads.count == 2 && heads[Samples.appointment(1).stream] == Self.head(1, 9))
        #expect(heads[Samples.appointment(2).stream] == Self.head(2, 1))
    }

    @Test("entries that do not follow those before them are refused", arguments: Kind.allCases)
    func order(kind: Kind) async throws {
        let store = try kind.make()
        let first = MonitoredPart(tile: 0, leaves: Array(Self.leaves[..<7]), known: 0, heads: [Self.head(1, 1)])
        await #expect(throws: EventStoreError.self) { try await store.take(first) }
        try await store.accept([1], isOpaque: false)
        try await store.take(first)
        await #expect(throws: EventStoreError.self) { try await store.take(first) }
        await #expect(throws: EventStoreError.self) {
            try await store.take(MonitoredPart(tile: 1, leaves: Array(Self.leaves[256...]), known: 0, heads: []))
        }
        #expect(try await store.state()?.read == 7)
    }
}
