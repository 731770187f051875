import EventStore
import LogService
import MemoryEngine
import SQLiteEngine
import TestEngines
import Testing
import TransparencyLog

@Suite("The contract of WitnessStore")
struct WitnessStoreContract {
    enum Kind: CaseIterable {
        case memory
        case sqlite

        func make() throws -> any WitnessStore {
            switch self {
            case .memory: MemoryWitnessStore()
            case .sqlite: SQLiteWitnessStore(try SideFile(.witness, path: try ScratchFile().path))
            }
        }
    }

    private static let logs = [Hash(of: [1]), Hash(of: [2])]

    private func put(_ size: Int, _ store: any WitnessStore, log: Int = 0) async throws {
        let answer = try await store.step(Self.logs[log]) { _ in
            WitnessStep(.conflict(size: size), storing: .init(size: size, note: Array("\(size)".utf8)))
        }
        #expect(answer == .conflict(size: size))
    }

    @Test("each log has its own last note, and nothing before the first", arguments: Kind.allCases)
    func lastNotes(kind: Kind) async throws {
        let store = try kind.make()
        #expect(try await store.note(of: Self.logs[0]) == nil)
        try await put(5, store)
        try await put(7, store, log: 1)
        try await put(5, store)
        try await put(6, store)
        #expect(try await store.note(of: Self.logs[0]) == Array("6".utf8))
        #expect(try await store.note(of: Self.logs[1]) == Array("7".utf8))
    }

    @Test("a step that stores nothing, or fails, changes nothing", arguments: Kind.allCases)
    func nothing(kind: Kind) async throws {
        let store = try kind.make()
        try await put(5, store)
        let answer = try await store.step(Self.logs[0]) { last in
            #expect(last == Array("5".utf8))
            return WitnessStep(.forbidden)
        }
        #expect(answer == .forbidden)
        await #expect(throws: EventStoreError.self) {
            _ = try await store.step(Self.logs[0]) { _ throws(EventStoreError) in
                throw EventStoreError(.invalid, message: "no")
            }
        }
        #expect(try await store.note(of: Self.logs[0]) == Array("5".utf8))
    }

    @Test("a smaller size is never stored, whoever asks for it", arguments: Kind.allCases)
    func shrinking(kind: Kind) async throws {
        let store = try kind.make()
        try await put(5, store)
        await #expect(throws: EventStoreError.self) { try await put(4, store) }
        #expect(try await store.note(of: Self.logs[0]) == Array("5".utf8))
    }

    @Test("of many steps at the same time each sees what the one before has stored", arguments: Kind.allCases)
    func together(kind: Kind) async throws {
        let store = try kind.make()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<100 {
                group.addTask {
                    _ = try await store.step(Self.logs[0]) { last in
                        let size = (last.flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 0) + 1
                        return WitnessStep(.badRequest, storing: .init(size: size, note: Array("\(size)".utf8)))
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await store.note(of: Self.logs[0]) == Array("100".utf8))
    }

    @Test("a file is found again by another process, and no row of it can be deleted or made smaller")
    func reopening() async throws {
        let path = try ScratchFile().path
        try await put(5, SQLiteWitnessStore(try SideFile(.witness, path: path)))
        let again = SQLiteWitnessStore(try SideFile(.witness, path: path))
        #expect(try await again.note(of: Self.logs[0]) == Array("5".utf8))
        #expect(throws: EventStoreError.self) { try SideFile(.monitor, path: path) }
    }
}
