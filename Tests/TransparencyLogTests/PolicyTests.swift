import EventStore
import Testing
import TransparencyLog

/// Trust policies: read strictly, and judged by quorum.
@Suite struct PolicyTests {
    private static func vkey(_ name: String) throws -> String {
        name.hasPrefix("log")
            ? try Keys.log(name).verifier.description : try Keys.witness(name).verifier.description
    }

    /// A policy in which `{NAME}` stands for the key of that name.
    private func policy(_ text: String) throws -> TrustPolicy {
        var (text, rest) = (text, Set<String>())
        for part in text.split(separator: "{").dropFirst() { rest.insert(String(part.prefix { $0 != "}" })) }
        for name in rest { text = text.replacing("{\(name)}", with: try Self.vkey(name)) }
        return try TrustPolicy(Array(text.utf8))
    }

    private func note(by witnesses: [String], origin: String = "log.example") throws -> SignedNote {
        let text = try Checkpoint(origin: origin, size: 0, root: MerkleTree.emptyRoot).text
        var note = try SignedNote(text: text, signatures: [try Keys.log(origin).sign(text)])
        for (time, name) in witnesses.enumerated() {
            try note.add(try Keys.witness(name).sign(text, time: Int64(time)))
        }
        return note
    }

    private static let groups = """
        # two organisations
        log {log.example} https://log.example/

        \twitness X1 {x1}
        witness X2 {x2} https://x2.example/
        witness X3 {x3}
        group X-witnesses 2 X1  X2\tX3
        witness Y1 {y1}
        witness Y2 {y2}
          # one is enough
        group Y-witnesses any Y1 Y2
        group X-and-Y all X-witnesses Y-witnesses
        quorum X-and-Y

        """

    @Test(
        "groups of the specification's example decide",
        arguments: [
            (["x1", "x2", "y1"], true), (["x3", "x2", "y2"], true), (["x1", "x2", "x3", "y1", "y2"], true),
            (["x1", "y1"], false), (["x1", "x2", "x3"], false), (["y1", "y2"], false), ([], false),
            (["x1", "x1", "y1"], false), (["x1", "stranger", "y1"], false),
        ])
    func groups(witnesses: [String], isEnough: Bool) throws {
        let policy = try policy(Self.groups)
        #expect(policy.logs.count == 1 && policy.witnesses.count == 5)
        #expect(policy.logs[0].url == "https://log.example/" && policy.witnesses[1].url == "https://x2.example/")
        let note = try note(by: witnesses)
        if isEnough {
            let trusted = try policy.judge(note)
            #expect(trusted.witnesses.count == Set(witnesses).subtracting(["stranger"]).count)
            #expect(trusted.witnesses.allSatisfy { $0.time != nil } && trusted.log.time == nil)
        } else {
            let error = #expect(throws: TransparencyError.self) { try policy.judge(note) }
            #expect(error?.kind == .quorumMissed)
        }
    }

    @Test("quorum none asks for no witness, a single name for that one")
    func simple() throws {
        let none = try policy("log {log.example}\nquorum none\n")
        #expect(try none.judge(try note(by: [])).witnesses.isEmpty)
        let one = try policy("quorum\tW \n".withWitness)
        #expect(try one.judge(try note(by: ["w"])).witnesses.count == 1)
        #expect(throws: TransparencyError.self) { try one.judge(try note(by: ["v"])) }
    }

    @Test("a log that is not in the policy is refused, unless it is known from elsewhere")
    func logs() throws {
        let policy = try policy("log {log.other}\nquorum none\n")
        #expect(throws: TransparencyError.self) { try policy.judge(try note(by: [])) }
        let key = try Keys.log("log.example").verifier
        #expect(try policy.judge(try note(by: []), others: [key]).log.key == key)
        #expect(try self.policy("quorum none\n").judge(try note(by: []), others: [key]).log.key == key)
    }

    @Test("a bad signature by a known witness refuses the checkpoint, quorum or not")
    func badWitness() throws {
        let policy = try policy("quorum none\n".withWitness)
        var note = try note(by: [])
        try note.add(NoteSignature(named: try Keys.witness("w").verifier, bytes: Array(repeating: 0, count: 72)))
        let error = #expect(throws: TransparencyError.self) { try policy.judge(note) }
        #expect(error?.kind == .badSignature)
    }

    @Test(
        "a policy that is not written so is refused",
        arguments: [
            "", "log {log.example}\n", "quorum none", "quorum none\nquorum none\n", "quorum\n", "quorum none x\n",
            "quorum W\nwitness W {w}\n", "QUORUM none\n", "quorum none\r\n", "quorum none\u{0}\n",
            "quorum none\u{7F}\n",
            "quorum None\n", "log\nquorum none\n", "log {log.example} a b\nquorum none\n", "log {w}\nquorum none\n",
            "witness W {log.example}\nquorum none\n", "witness W\nquorum none\n", "witness W {w} a b\nquorum none\n",
            "witness none {w}\nquorum none\n", "log {log.example}\nlog {log.example}\nquorum none\n",
            "witness A {w}\nwitness B {w}\nquorum none\n", "witness A {v}\nwitness A {w}\nquorum none\n",
            "witness A {v}\ngroup A any A\nquorum none\n", "witness A {v}\ngroup none any A\nquorum none\n",
            "witness A {v}\ngroup G any\nquorum none\n", "group G any G\nquorum none\n",
            "witness A {v}\ngroup G 0 A\nquorum none\n", "witness A {v}\ngroup G 2 A\nquorum none\n",
            "witness A {v}\ngroup G 01 A\nquorum none\n", "witness A {v}\ngroup G some A\nquorum none\n",
            "witness A {v}\ngroup G any A A\nquorum none\n", "witness A {v}\ngroup G any A none\nquorum none\n",
            "witness A {v}\ngroup G any A\ngroup H any A\nquorum none\n", "nonsense\nquorum none\n",
            "witness A v+00000000+AAAA\nquorum none\n",
        ])
    func refused(text: String) {
        let error = #expect(throws: TransparencyError.self) { try policy(text) }
        #expect(error?.kind == .malformed || error?.kind == .unsupported)
    }

    @Test("names are bytes: those that Unicode calls equivalent are two, and invalid UTF-8 is one")
    func names() throws {
        #expect(throws: TransparencyError.self) { try policy("witness \u{E9} {w}\nquorum e\u{301}\n") }
        let key = try Self.vkey("w")
        let bytes = Array("witness ".utf8) + [0xFF, 0xFE] + Array(" \(key)\nquorum ".utf8) + [0xFF, 0xFE, 0x0A]
        #expect(try TrustPolicy(bytes).witnesses[0].name == [0xFF, 0xFE])
    }

    @Test("256 witnesses are taken, 257 are not; nor is a file of more than 256 KiB")
    func limits() throws {
        func text(_ count: Int) throws -> String {
            try (0..<count).map { "witness W\($0) \(try Self.vkey("w\($0)"))\n" }.joined() + "quorum none\n"
        }
        #expect(try TrustPolicy(Array(try text(256).utf8)).witnesses.count == 256)
        let error = #expect(throws: TransparencyError.self) { try TrustPolicy(Array(try text(257).utf8)) }
        #expect(error?.kind == .tooLarge)
        #expect(throws: TransparencyError.self) { try TrustPolicy(Array(repeating: 0x0A, count: 262_145)) }
    }
}

extension String {
    /// The policy after the lines of a log and a witness `W`.
    fileprivate var withWitness: String { "log {log.example}\nwitness W {w}\n" + self }
}
