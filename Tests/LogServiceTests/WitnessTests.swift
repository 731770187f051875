import EventStore
import LogService
import MemoryEngine
import Synchronization
import TestTrees
import Testing
import TransparencyLog

/// A witness, and a log's client that asks it.
@Suite struct WitnessTests {
    private static let now = Timestamp(milliseconds: 1_772_470_800_999)
    private let log: WrittenLog
    private let key: SigningKey
    private let witness: Witness

    init() throws {
        log = try WrittenLog((0..<600).map { [UInt8($0 & 255), UInt8($0 >> 8)] })
        key = try SigningKey(name: "witness.example/w", type: .cosignature, seed: Array(repeating: 3, count: 32))
        witness = Witness(
            logs: [log.key.verifier], key: key, store: MemoryWitnessStore(), now: { Self.now })
    }

    /// A client of the witness.
    private func client() -> WitnessClient {
        let witness = witness
        return client { url, body in
            #expect(url == "http://witness/add-checkpoint")
            do throws(EventStoreError) {
                let answer = try await witness.add(body)
                return .success(.init(status: answer.status, contentType: answer.contentType, body: answer.body))
            } catch {
                return .failure(NoAnswer(error.message))
            }
        }
    }

    /// A client of something else in its place.
    private func client(_ send: @escaping WitnessClient.Send) -> WitnessClient {
        WitnessClient(key.verifier, at: "http://witness/", send: send)
    }

    private func ask(
        _ client: WitnessClient, _ log: WrittenLog? = nil, at size: Int, known: inout Int
    ) async throws -> WitnessClient.Outcome {
        let log = log ?? self.log
        return await client.ask(for: try log.checkpoint(ofSize: size), known: &known, tree: log)
    }

    private func outcome(
        status: Int, type: String = "text/plain", _ body: String = "", known: Int = 7
    ) async throws -> WitnessClient.Outcome {
        var known = known
        return try await ask(
            client { _, _ in .success(.init(status: status, contentType: type, body: Array(body.utf8))) }, at: 300,
            known: &known)
    }

    @Test("a log gets a signature on each size, and says from then on what the witness has signed")
    func signs() async throws {
        var known = 0
        for size in [1, 1, 2, 255, 256, 257, 600] {
            guard case .cosigned(let signature) = try await ask(client(), at: size, known: &known) else {
                return #expect(Bool(false), "\(size) was not signed")
            }
            #expect(known == size)
            let text = try log.note(ofSize: size).text
            #expect(try signature.verified(by: key.verifier, over: text).time == 1_772_470_800)
        }
    }

    @Test("a log that does not know what the witness signed last is told, and goes on from that")
    func conflict() async throws {
        var known = 0
        _ = try await ask(client(), at: 300, known: &known)
        for wrong in [0, 5, 299, 400, 499] {
            var known = wrong
            let outcome = try await ask(client(), at: 500, known: &known)
            guard case .cosigned = outcome else { return #expect(Bool(false), "\(wrong): \(outcome)") }
            #expect(known == 500)
        }
    }

    @Test("a log that was put back is told so: when it is smaller, and when it has gone another way since")
    func putBack() async throws {
        var known = 0
        _ = try await ask(client(), at: 300, known: &known)
        known = 0
        guard case .contradicted(let what) = try await ask(client(), at: 200, known: &known) else {
            return #expect(Bool(false), "nobody saw that it is smaller")
        }
        #expect(what.contains("300") && what.contains("200"))
        var other = log
        for place in 250..<600 { other.entries[place] = [1] }
        guard case .contradicted = try await ask(client(), other, at: 400, known: &known) else {
            return #expect(Bool(false), "nobody saw that it has forked")
        }
        guard case .contradicted = try await ask(client(), other, at: 300, known: &known) else {
            return #expect(Bool(false), "nobody saw that it has forked at the same size")
        }
        // The true log goes on.
        guard case .cosigned = try await ask(client(), at: 400, known: &known) else {
            return #expect(Bool(false), "the true log was refused")
        }
    }

    @Test("the monitoring address has the last checkpoint with the signatures of log and witness, and no others")
    func monitoring() async throws {
        let digits = Hash(of: Array("log.example/a".utf8)).bytes.map { byte in
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }
        let name = digits.joined()
        #expect(try await witness.checkpoint(name) == nil)
        let stranger = try SigningKey(name: "stranger", type: .cosignature, seed: Array(repeating: 4, count: 32))
        let request = AddCheckpointRequest(
            oldSize: 0, proof: [], note: try log.note(ofSize: 300, witnesses: [stranger]))
        guard case .cosigned(let signatures) = try await witness.add(request.bytes) else {
            return #expect(Bool(false), "it was not signed")
        }
        let note = try SignedNote(try #require(try await witness.checkpoint(name)))
        #expect(note.signatures == (try log.note(ofSize: 300).signatures) + signatures)
        #expect(try note.verified(by: [log.key.verifier, key.verifier]).count == 2)
        for wrong in [name.uppercased(), String(name.dropLast()), name + "0", "", "/"] {
            #expect(try await witness.checkpoint(wrong) == nil)
        }
    }

    @Test("of two requests at the same time for the same old size one is signed and the other told the new size")
    func race() async throws {
        for _ in 0..<20 {
            let store = MemoryWitnessStore()
            let witness = Witness(logs: [log.key.verifier], key: key, store: store, now: { Self.now })
            let requests = try [300, 301].map {
                try AddCheckpointRequest(oldSize: 0, proof: [], note: log.note(ofSize: $0))
            }
            let answers = try await withThrowingTaskGroup(of: AddCheckpointAnswer.self) { group in
                for request in requests { group.addTask { try await witness.add(request.bytes) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.map(\.status).sorted() == [200, 409])
        }
    }

    @Test("what a witness keeps and can't be read is never signed over")
    func damagedStore() async throws {
        let store = MemoryWitnessStore()
        _ = try await store.step(Hash(of: Array("log.example/a".utf8))) { _ in
            WitnessStep(.badRequest, storing: .init(size: 1, note: [1, 2, 3]))
        }
        let witness = Witness(logs: [log.key.verifier], key: key, store: store, now: { Self.now })
        let request = AddCheckpointRequest(oldSize: 0, proof: [], note: try log.note(ofSize: 300))
        await #expect(throws: EventStoreError.self) { try await witness.add(request.bytes) }
    }

    @Test("a witness that answers nonsense, changes its mind, or names sizes without end is away, in a few requests")
    func nonsense() async throws {
        let size = "text/x.tlog.size"
        for (status, type, body) in [
            (409, size, "many\n"), (409, "text/plain", "5\n"), (409, size, "7\n"), (409, size, "-1\n"),
            (200, "", "hello"), (200, "", ""), (500, "", ""), (302, "", ""), (204, "", ""),
        ] {
            guard case .away = try await outcome(status: status, type: type, body) else {
                return #expect(Bool(false), "\(status) \(body) was taken")
            }
        }
        let asked = Mutex(0)
        let flighty = client { _, _ in
            let next = asked.withLock { asked in
                asked += 1
                return asked
            }
            return .success(.init(status: 409, contentType: size, body: Array("\(next + 10)\n".utf8)))
        }
        var known = 0
        guard case .away = try await ask(flighty, at: 300, known: &known) else {
            return #expect(Bool(false), "a flighty witness was believed")
        }
        #expect(asked.withLock { $0 } == 3)
    }

    @Test("a witness that names a size beyond the log is not believed for ever")
    func liesAboutSize() async throws {
        var known = 0
        let liar = client { _, _ in
            .success(.init(status: 409, contentType: "text/x.tlog.size", body: Array("999\n".utf8)))
        }
        guard case .contradicted = try await ask(liar, at: 300, known: &known) else {
            return #expect(Bool(false), "nobody was told")
        }
        guard case .cosigned = try await ask(client(), at: 300, known: &known) else {
            return #expect(Bool(false), "the lie was kept")
        }
    }

    @Test("a wrong signature, another's and one without a time are refused")
    func lies() async throws {
        let text = try log.note(ofSize: 300).text
        let other = try SigningKey(name: "witness.example/w", type: .cosignature, seed: Array(repeating: 5, count: 32))
        let lines = [
            try key.sign(try log.note(ofSize: 299).text, time: 5).line, try other.sign(text, time: 5).line,
            try key.sign(text, time: 0).line,
        ]
        for line in lines {
            guard case .refused = try await outcome(status: 200, line) else {
                return #expect(Bool(false), "\(line) was taken")
            }
        }
        // One that is right is found among strangers'.
        let both = try other.sign(text, time: 5).line + key.sign(text, time: 5).line
        guard case .cosigned = try await outcome(status: 200, both) else {
            return #expect(Bool(false), "the right one was passed over")
        }
    }

    @Test("an answer of refusal is told to the operator, and no answer is asked for again", arguments: [400, 403, 404])
    func refusals(status: Int) async throws {
        guard case .refused = try await outcome(status: status) else { return #expect(Bool(false), "\(status)") }
        var known = 7
        let hanging = client { _, _ in .failure(NoAnswer("no answer came in time"))
        }
        guard case .away("no answer came in time") = try await ask(hanging, at: 300, known: &known) else {
            return #expect(Bool(false), "it was not away")
        }
        #expect(known == 7)
    }
}
