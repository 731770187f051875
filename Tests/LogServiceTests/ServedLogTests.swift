import Appointments
import EventStore
import LogService
import MemoryEngine
import TestEngines
import Testing
import TransparencyLog

/// What anybody may ask of a log.
@Suite struct ServedLogTests {
    private func signed(_ streams: Int) async throws -> SignedLedger {
        let ledger = try SignedLedger()
        try await ledger.grow(0..<streams)
        _ = try await ledger.checkpointer.sign()
        return ledger
    }

    @Test("each event has a proof that holds, and what the checkpoint does not cover has none")
    func events() async throws {
        let ledger = try await signed(300)
        try await ledger.grow(300..<302)
        let last = try await ledger.last()
        for event in ledger.store.eventsNow(after: 0, limit: 1000) {
            let proof = try await ledger.log.proof(of: event.stream, version: event.version, at: last)
            guard event.position ?? 0 <= last.checkpoint.size else {
                #expect(proof == nil)
                continue
            }
            let read = try LogProof(try #require(proof).bytes)
            try read.verify(Hash.leaf(of: event.entry.bytes), by: ledger.policy)
            #expect(throws: TransparencyError.self) {
                try read.verify(Hash(of: event.entry.bytes), by: ledger.policy)
            }
            #expect(read.extra == event.entry.bytes)
        }
        let stream = Samples.appointment(1).stream
        #expect(try await ledger.log.proof(of: stream, version: 2, at: last) == nil)
        #expect(try await ledger.log.proof(of: Samples.appointment(9999).stream, version: 1, at: last) == nil)
    }

    @Test("each history is proved whole, also once the log has grown, and so is that there is none")
    func histories() async throws {
        let ledger = try await signed(280)
        for round in 0..<3 {
            let last = try await ledger.last()
            for number in stride(from: 0, to: 280 + 20 * round, by: 7) {
                let stream = Samples.appointment(number).stream
                let proof = try HistoryProof(try await ledger.log.history(of: stream, at: last).bytes)
                let proven = try proof.verify(by: ledger.policy)
                #expect(proven.entries.count == (number % 3 == 0 ? 2 : 1))
            }
            for number in [99_999, 500] {
                let absent = Samples.appointment(number).stream
                let proof = try HistoryProof(try await ledger.log.history(of: absent, at: last).bytes)
                #expect(try proof.verify(by: ledger.policy).entries.isEmpty)
            }
            // What is recorded after the checkpoint is not in its history, and the history holds all the same.
            try await ledger.grow((280 + 20 * round)..<(300 + 20 * round))
            let stream = Samples.appointment(281 + 20 * round).stream
            let early = try await ledger.log.history(of: stream, at: last)
            #expect(try early.verify(by: ledger.policy).entries.isEmpty)
            #expect(try await ledger.checkpointer.sign().state == .signed)
        }
    }

    @Test("consistency is proved between any two sizes up to the last checkpoint")
    func consistency() async throws {
        let ledger = try await signed(220)
        let last = try await ledger.last()
        for (old, new) in [(0, 1), (1, 1), (0, 290), (255, 256), (7, 257), (256, nil), (294, nil)] as [(Int, Int?)] {
            let proof = try #require(try await ledger.log.consistency(from: old, to: new, at: last), "\(old)")
            let trusted = try ConsistencyProof(proof.bytes).verify(by: ledger.policy)
            #expect(trusted.checkpoint.size == new ?? last.checkpoint.size)
        }
        for (old, new) in [(-1, 2), (3, 2), (0, 1000), (295, nil)] as [(Int, Int?)] {
            #expect(try await ledger.log.consistency(from: old, to: new, at: last) == nil)
        }
    }

    @Test("nothing is proved of a log that is not the one of its checkpoint")
    func contradiction() async throws {
        let ledger = try await signed(30)
        let restored = try SignedLedger(checkpoints: ledger.checkpoints)
        try await restored.grow(0..<5)
        try await restored.grow(5..<60, topic: "appointments-cl")
        let last = try await restored.last()
        let stream = Samples.appointment(6).stream
        #expect(await failure { try await restored.log.proof(of: stream, version: 1, at: last) } == .corrupt)
        #expect(await failure { try await restored.log.history(of: stream, at: last) } == .corrupt)
        let absent = Samples.appointment(5000).stream
        #expect(await failure { try await restored.log.history(of: absent, at: last) } == .corrupt)
        #expect(await failure { try await restored.log.consistency(from: 3, to: 20, at: last) } == .corrupt)
        #expect(await failure { try await restored.log.consistency(from: 9, at: last) } == .corrupt)
    }
}
