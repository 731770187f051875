import EventStore
import LogService
import MemoryEngine
import Synchronization
import Testing
import TransparencyLog

/// A log that collects the signatures of its witnesses.
@Suite struct CollectingTests {
    private let ledger: SignedLedger
    private let keys: [SigningKey]
    private let witnesses: Witnesses
    /// How many requests were sent.
    private let sent = Counter()

    private final class Counter: Sendable {
        private let count = Mutex(0)
        var value: Int { count.withLock { $0 } }
        func add() { count.withLock { $0 += 1 } }
    }

    init() throws {
        let ledger = try SignedLedger()
        let keys = try ["w1", "w2"].map { name in
            try SigningKey(name: name, type: .cosignature, seed: Hash(of: Array(name.utf8)).bytes)
        }
        let sent = sent
        witnesses = Witnesses(
            keys.map { key in
                let witness = Witness(
                    logs: [ledger.signer.key], key: key, store: MemoryWitnessStore(),
                    now: { Timestamp(milliseconds: 1_772_470_800_000) })
                return WitnessClient(key.verifier, at: "http://\(key.verifier.name)") { _, body in
                    sent.add()
                    do throws(EventStoreError) {
                        let answer = try await witness.add(body)
                        return .success(
                            .init(status: answer.status, contentType: answer.contentType, body: answer.body))
                    } catch {
                        return .failure(NoAnswer(error.message))
                    }
                }
            })
        (self.ledger, self.keys) = (ledger, keys)
    }

    private func signers() async throws -> [String] { try await ledger.last().note.signatures.map(\.name) }

    @Test("each new checkpoint gets the signatures of all witnesses, and one that has signed is not asked again")
    func collects() async throws {
        if try await witnesses.collect(0, from: ledger.checkpointer) != nil {
            #expect(Bool(false), "nothing was signed yet")
        }
        for start in [0, 5, 300] {
            try await ledger.grow(start..<(start == 300 ? 600 : start + 5))
            _ = try await ledger.checkpointer.sign()
            let before = sent.value
            for _ in 0..<3 {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for place in 0..<2 {
                        group.addTask { _ = try await witnesses.collect(place, from: ledger.checkpointer) }
                    }
                    try await group.waitForAll()
                }
            }
            #expect(try await Set(signers()) == [SignedLedger.origin, "w1", "w2"])
            #expect(sent.value == before + 2)
            let keys = [ledger.signer.key] + keys.map(\.verifier)
            #expect(try await ledger.last().note.verified(by: keys).count == 3)
            // The checkpoint itself is the one that was signed.
            #expect(try await ledger.checkpointer.standing().state == .signed)
        }
    }

    @Test("a checkpoint that has gone on meanwhile takes no signature of the one before, and is asked for next")
    func overtaken() async throws {
        try await ledger.grow(0..<5)
        _ = try await ledger.checkpointer.sign()
        let slow = Witnesses([
            WitnessClient(keys[0].verifier, at: "http://w1") { [ledger, keys] _, body in
                // Events are recorded and signed while the witness thinks.
                guard let request = try? AddCheckpointRequest(body), (try? await ledger.grow(50..<60)) != nil,
                    (try? await ledger.checkpointer.sign()) != nil,
                    let signature = try? keys[0].sign(request.note.text, time: 7)
                else { return .failure(NoAnswer("the test went wrong")) }
                let answer = AddCheckpointAnswer.cosigned([signature])
                return .success(.init(status: 200, contentType: nil, body: answer.body))
            }
        ])
        guard case .cosigned = try await slow.collect(0, from: ledger.checkpointer) else {
            return #expect(Bool(false), "it was not signed")
        }
        #expect(try await signers() == [SignedLedger.origin])
        _ = try await witnesses.collect(0, from: ledger.checkpointer)
        #expect(try await signers() == [SignedLedger.origin, "w1"])
    }
}
