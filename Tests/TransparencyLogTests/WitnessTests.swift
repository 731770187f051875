import EventStore
import Testing
import TransparencyLog

/// The request to a witness, its answers, and how it decides.
@Suite struct WitnessTests {
    private let tree = StoredTree(leaves(40))

    private func request(
        old: Int, new: Int, origin: String = "log.example/a", root: Hash? = nil, proof: [Hash]? = nil,
        signer: String? = nil
    ) throws -> AddCheckpointRequest {
        let root = try root ?? tree.answer(.root(ofSize: new))[0]
        let text = try Checkpoint(origin: origin, size: new, root: root).text
        let note = try SignedNote(text: text, signatures: [try Keys.log(signer ?? origin).sign(text)])
        let made = try proof ?? tree.answer(.consistency(from: old, to: new))
        return AddCheckpointRequest(oldSize: old, proof: made, note: note)
    }

    private func answer(_ request: AddCheckpointRequest, last: Int?, lastRoot: Hash? = nil) throws
        -> AddCheckpointAnswer?
    {
        let keys = [try Keys.log("log.example/a").verifier, try Keys.log("log.example/other").verifier]
        let decision = try WitnessRule.decide(request, keys: keys) { origin in
            #expect(origin == "log.example/a")
            return try last.map { WitnessRule.Last(size: $0, root: try lastRoot ?? tree.answer(.root(ofSize: $0))[0]) }
        }
        guard case .answer(let answer) = decision else { return nil }
        return answer
    }

    @Test("a request comes back byte for byte, and one that is cut anywhere is refused")
    func bytes() throws {
        let bytes = try request(old: 7, new: 40).bytes
        #expect(try AddCheckpointRequest(bytes).bytes == bytes)
        for count in 0..<bytes.count {
            #expect(throws: TransparencyError.self) { try AddCheckpointRequest(bytes.prefix(count)) }
        }
        let many = try request(old: 7, new: 40, proof: leaves(64)).bytes
        #expect(throws: TransparencyError.self) { try AddCheckpointRequest(many) }
    }

    @Test(
        "it signs what goes on from what it signed last",
        arguments: [(0, 0), (0, 40), (1, 40), (7, 40), (32, 40), (40, 40)])
    func signs(old: Int, new: Int) throws {
        #expect(try answer(try request(old: old, new: new), last: old) == nil)
        if old == 0 { #expect(try answer(try request(old: old, new: new), last: nil) == nil) }
    }

    @Test("each offence has the answer that C2SP tlog-witness gives it")
    func refuses() throws {
        let fork = leaves(41)[40]
        #expect(try answer(request(old: 7, new: 40, origin: "log.example/x"), last: 7) == .unknownOrigin)
        #expect(try answer(request(old: 7, new: 40, signer: "log.example/other"), last: 7) == .forbidden)
        #expect(try answer(request(old: 40, new: 7, proof: []), last: 40) == .badRequest)
        #expect(try answer(request(old: 7, new: 40), last: 8) == .conflict(size: 8))
        #expect(try answer(request(old: 7, new: 40), last: nil) == .conflict(size: 0))
        #expect(try answer(request(old: 0, new: 40), last: 8) == .conflict(size: 8))
        #expect(try answer(request(old: 7, new: 40, root: fork), last: 7) == .unprocessable)
        #expect(try answer(request(old: 7, new: 40), last: 7, lastRoot: fork) == .unprocessable)
        #expect(try answer(request(old: 7, new: 40, proof: []), last: 7) == .unprocessable)
        #expect(try answer(request(old: 0, new: 40, proof: [fork]), last: nil) == .unprocessable)
        #expect(try answer(request(old: 0, new: 0, root: fork), last: nil) == .unprocessable)
        #expect(try answer(request(old: 40, new: 40, root: fork), last: 40) == .unprocessable)
        #expect(try answer(request(old: 40, new: 40, proof: [fork]), last: 40) == .unprocessable)
    }

    @Test("a wrong signature in the name of the log is refused, and a text that is no checkpoint can't be read")
    func signatures() throws {
        let good = try request(old: 7, new: 40)
        var note = good.note
        try note.add(
            NoteSignature(named: try Keys.log("log.example/a").verifier, bytes: Array(repeating: 0, count: 64)))
        #expect(try answer(AddCheckpointRequest(oldSize: 7, proof: good.proof, note: note), last: 7) == .forbidden)
        let text = "log.example/a\nforty\n"
        let nonsense = try SignedNote(text: text, signatures: [try Keys.log("log.example/a").sign(text)])
        #expect(try answer(AddCheckpointRequest(oldSize: 7, proof: [], note: nonsense), last: 7) == .badRequest)
    }

    @Test("every answer comes back from its status, type and body")
    func answers() throws {
        let text = try request(old: 7, new: 40).note.text
        let signature = try Keys.witness("witness.example/w").sign(text, time: 5)
        let all: [AddCheckpointAnswer] = [
            .cosigned([signature]), .badRequest, .forbidden, .unknownOrigin, .conflict(size: 12), .unprocessable,
        ]
        for answer in all {
            let read = try AddCheckpointAnswer(
                status: answer.status, contentType: answer.contentType, body: answer.body)
            #expect(read == answer)
        }
    }

    @Test(
        "an answer with nonsense in it is refused",
        arguments: [
            (200, "", ""), (200, "", "\n"), (200, "", "— w AAAAAAAA"), (200, "", "hello\n"), (200, "", "— w AAAA\n"),
            (409, "text/plain", "12\n"), (409, "text/x.tlog.size", "12"), (409, "text/x.tlog.size", "012\n"),
            (409, "text/x.tlog.size", "-1\n"), (409, "text/x.tlog.size", "12\n13\n"), (409, "text/x.tlog.size", "\n"),
            (409, "text/x.tlog.size", "9223372036854775808\n"), (409, "text/x.tlog.size", "<html>"), (302, "", ""),
            (500, "", ""), (0, "", ""),
        ])
    func nonsense(status: Int, type: String, body: String) {
        #expect(throws: TransparencyError.self) {
            try AddCheckpointAnswer(status: status, contentType: type, body: Array(body.utf8))
        }
    }

    @Test("a log takes the signatures of witnesses that it trusts, and no wrong one")
    func collecting() throws {
        let (witness, stranger) = (try Keys.witness("w"), try Keys.witness("s"))
        var note = try request(old: 0, new: 40).note
        let answer = [try stranger.sign(note.text, time: 1), try witness.sign(note.text, time: 2)]
        #expect(try note.add(answer, by: [witness.verifier]).map(\.time) == [2])
        #expect(note.signatures.count == 2)
        #expect(throws: TransparencyError.self) { try note.add([answer[0]], by: [witness.verifier]) }
        let lie = try witness.sign("another text\n", time: 2)
        #expect(throws: TransparencyError.self) { try note.add([lie], by: [witness.verifier]) }
        #expect(note.signatures.count == 2)
    }
}
