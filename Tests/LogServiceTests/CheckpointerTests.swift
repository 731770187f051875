import EventStore
import LogService
import MemoryEngine
import TestEngines
import Testing
import TransparencyLog

/// What is signed, and what is never signed.
@Suite struct CheckpointerTests {
    @Test("an empty log is not signed")
    func empty() async throws {
        let ledger = try SignedLedger()
        #expect(try await ledger.checkpointer.sign() == LogStanding(.empty, size: 0, signed: nil))
        #expect(try await ledger.checkpoints.last() == nil)
    }

    @Test("a log that has grown is signed once, and each checkpoint goes on from the one before")
    func growing() async throws {
        let ledger = try SignedLedger()
        var before: Checkpoint?
        for number in 0..<40 {
            try await ledger.grow((9 * number)..<(9 * number + 9))
            let size = ledger.store.headNow
            let due = try await ledger.checkpointer.standing()
            #expect(due == LogStanding(.due, size: size, signed: before?.size))
            #expect(try await ledger.checkpointer.sign() == LogStanding(.signed, size: size, signed: size))
            let (bytes, last) = (try await ledger.checkpoints.last(), try await ledger.last().checkpoint)
            #expect(last.size == size)
            #expect(last.root == (try await ledger.store.frontier()).root)
            if let before {
                let proof = try #require(try await ledger.log.consistency(from: before.size, at: try ledger.last()))
                #expect(proof.oldRoot == before.root)
                try proof.verify(by: ledger.policy)
            }
            before = last
            #expect(try await ledger.checkpointer.sign().state == .signed)
            #expect(try await ledger.checkpoints.last() == bytes)
        }
    }

    @Test("a log that is smaller than its last checkpoint is never signed")
    func cutOff() async throws {
        let ledger = try SignedLedger()
        try await ledger.grow(0..<10)
        _ = try await ledger.checkpointer.sign()
        let bytes = try await ledger.checkpoints.last()
        let restored = try SignedLedger(checkpoints: ledger.checkpoints)
        try await restored.grow(0..<5)
        let standing = try await restored.checkpointer.sign()
        #expect(standing.state == .cutOff)
        #expect(standing.isAlarm)
        #expect(standing.problem?.contains("has 7 events, and had 14") == true)
        #expect(try await ledger.checkpoints.last() == bytes)
    }

    @Test("a log that was put back and has gone another way is never signed", arguments: [10, 11, 400])
    func forked(streams: Int) async throws {
        let ledger = try SignedLedger()
        try await ledger.grow(0..<10)
        _ = try await ledger.checkpointer.sign()
        let bytes = try await ledger.checkpoints.last()
        let restored = try SignedLedger(checkpoints: ledger.checkpoints)
        try await restored.grow(0..<5)
        try await restored.grow(5..<streams, topic: "appointments-cl")
        #expect(try await restored.checkpointer.sign().state == .forked)
        #expect(try await ledger.checkpoints.last() == bytes)
        // The log that was signed goes on.
        try await ledger.grow(10..<12)
        #expect(try await ledger.checkpointer.sign().state == .signed)
    }

    @Test("a checkpoint of another log, of another key or with a changed byte stops all signing")
    func foreign() async throws {
        let ledger = try SignedLedger()
        try await ledger.grow(0..<3)
        _ = try await ledger.checkpointer.sign()
        try await ledger.grow(3..<4)
        let other = try SignedLedger(store: ledger.store, checkpoints: ledger.checkpoints, origin: "log.example/other")
        #expect(try await other.checkpointer.sign().state == .foreign)
        let stranger = try SignedLedger(store: ledger.store, checkpoints: ledger.checkpoints, seed: 8)
        #expect(try await stranger.checkpointer.sign().state == .damaged)
        let note = try #require(try await ledger.checkpoints.last())
        for place in note.indices {
            var changed = note
            changed[place] ^= 1
            let store = MemoryCheckpointStore()
            #expect(try await store.replace(nil, with: changed))
            let checkpointer = Checkpointer(tree: ledger.store, store: store, signer: ledger.signer)
            #expect(try await checkpointer.sign().isAlarm, "byte \(place)")
            #expect(try await store.last() == changed)
        }
    }

    @Test("where the answer to storing was lost, the checkpoint is read back and counts")
    func lostAnswer() async throws {
        let store = DisturbedStore(MemoryCheckpointStore()) { _, _ in true }
        let ledger = try SignedLedger(checkpoints: store)
        try await ledger.grow(0..<3)
        #expect(try await ledger.checkpointer.sign().state == .signed)
        #expect(try await ledger.last().checkpoint.size == ledger.store.headNow)
    }

    @Test("who wakes late finds that another has signed, and compares again")
    func late() async throws {
        let events = MemoryEventStore()
        let inner = MemoryCheckpointStore()
        let quick = try SignedLedger(store: events, checkpoints: inner)
        try await quick.grow(0..<3)
        let store = DisturbedStore(inner) { _, _ in
            // Another process signs a larger tree between comparing and storing.
            try? await quick.grow(3..<9)
            _ = try? await quick.checkpointer.sign()
            return false
        }
        let slow = try SignedLedger(store: events, checkpoints: store)
        #expect(try await slow.checkpointer.sign().state == .signed)
        #expect(try await quick.last().checkpoint.size == events.headNow)
    }

    @Test("a witness' signature is added to the last checkpoint, and not to one that is over")
    func cosigned() async throws {
        let ledger = try SignedLedger()
        try await ledger.grow(0..<3)
        _ = try await ledger.checkpointer.sign()
        let first = try await ledger.last().note
        let witness = try SigningKey(
            name: "witness.example", type: .cosignature, seed: Array(repeating: 9, count: 32))
        let signature = try witness.sign(first.text, time: 1_800_000_000)
        #expect(try await ledger.checkpointer.add([signature], to: first))
        let cosigned = try SignedCheckpoint(
            try await ledger.last().note, by: [ledger.signer.key], others: [witness.verifier])
        #expect(cosigned.signatures.count == 2)
        try await ledger.grow(3..<4)
        #expect(try await ledger.checkpointer.sign().state == .signed)
        #expect(try await !ledger.checkpointer.add([signature], to: first))
    }

    @Test("a new log begins only where the checkpoint is the one that was given up")
    func begin() async throws {
        let ledger = try SignedLedger()
        try await ledger.grow(0..<10)
        _ = try await ledger.checkpointer.sign()
        let old = try await ledger.checkpoints.last()
        let restored = MemoryEventStore()
        let next = try SignedLedger(store: restored, checkpoints: ledger.checkpoints, origin: "log.example/next")
        await #expect(throws: EventStoreError.self) { try await next.checkpointer.begin(instead: old) }
        try await next.grow(0..<4)
        await #expect(throws: EventStoreError.self) { try await next.checkpointer.begin(instead: nil) }
        #expect(try await ledger.checkpoints.last() == old)
        let first = try await next.checkpointer.begin(instead: old)
        #expect(try await ledger.checkpoints.last() == first.bytes)
        #expect(try await next.checkpointer.sign().state == .signed)
        #expect(try await ledger.checkpointer.sign().state == .foreign)
    }
}
