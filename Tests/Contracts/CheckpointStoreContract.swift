import EventStore
import HostSystem
import MemoryEngine
import TestEngines
import Testing
import TransparencyLog

@Suite("The contract of CheckpointStore") struct CheckpointStoreContract {
    /// Who keeps a checkpoint.
    enum Keeper: CaseIterable {
        case memory
        case file
    }

    /// Two of the same place, as two processes have it.
    private func make(_ keeper: Keeper) throws -> (any CheckpointStore, any CheckpointStore) {
        switch keeper {
        case .memory:
            let store = MemoryCheckpointStore()
            return (store, store)
        case .file:
            let path = try ScratchFile().path
            let directory = String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
            return (CheckpointFile(directory), CheckpointFile(directory))
        }
    }

    @Test("the first note is stored where none was expected, and what was stored is read", arguments: Keeper.allCases)
    func first(keeper: Keeper) async throws {
        let (store, other) = try make(keeper)
        #expect(try await store.last() == nil)
        #expect(try await !store.replace([1], with: [2]))
        #expect(try await store.last() == nil)
        #expect(try await store.replace(nil, with: [1, 2, 3]))
        #expect(try await other.last() == [1, 2, 3])
        #expect(try await !other.replace(nil, with: [4]))
        #expect(try await store.last() == [1, 2, 3])
    }

    @Test("a note takes the place of the very bytes that were expected, and of no others", arguments: Keeper.allCases)
    func exact(keeper: Keeper) async throws {
        let (store, other) = try make(keeper)
        let long = (0..<5000).map { UInt8(truncatingIfNeeded: $0) }
        #expect(try await store.replace(nil, with: long))
        for wrong in [Array(long.dropLast()), long + [0], long.reversed(), []] {
            #expect(try await !other.replace(wrong, with: [1]))
        }
        #expect(try await other.replace(long, with: [1]))
        #expect(try await store.last() == [1])
        #expect(try await !store.replace(long, with: [2]))
    }

    @Test("of those who replace the same note one wins, and each is told so", arguments: Keeper.allCases)
    func race(keeper: Keeper) async throws {
        let (store, other) = try make(keeper)
        #expect(try await store.replace(nil, with: [0]))
        var before: [UInt8] = [0]
        for round in 1...20 as ClosedRange<UInt8> {
            let old = before
            let winners = try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
                for writer in 0..<6 as Range<UInt8> {
                    let place = writer % 2 == 0 ? store : other
                    group.addTask { try await place.replace(old, with: [round, writer]) ? [round, writer] : nil }
                }
                return try await group.reduce(into: [[UInt8]]()) { winners, note in
                    if let note { winners.append(note) }
                }
            }
            #expect(winners.count == 1)
            before = try #require(try await other.last())
            #expect(winners == [before])
        }
    }
}
