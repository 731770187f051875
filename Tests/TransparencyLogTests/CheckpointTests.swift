import EventStore
import TestTrees
import Testing
import TransparencyLog

/// Checkpoints, and what witnesses sign.
@Suite struct CheckpointTests {
    private static let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    private static let text = "example.com/behind-the-sofa\n20852163\n\(root)\n"

    @Test("the checkpoint of C2SP tlog-checkpoint comes back")
    func example() throws {
        let checkpoint = try Checkpoint(text: Self.text)
        #expect(checkpoint.origin == "example.com/behind-the-sofa" && checkpoint.size == 20_852_163)
        #expect(checkpoint.root.description == Self.root && checkpoint.extensions.isEmpty)
        #expect(checkpoint.text == Self.text)
    }

    @Test(
        "a text that is no checkpoint is refused",
        arguments: [
            "", "\n", "a\n1\n", "a\n1\nROOT", "\n1\nROOT\n", "a\n01\nROOT\n", "a\n00\nROOT\n", "a\n+1\nROOT\n",
            "a\n-1\nROOT\n",
            "a\n 1\nROOT\n", "a\n1 \nROOT\n", "a\n\nROOT\n", "a\n1\n\n", "a\n1\nROOT \n", "a\n1\nROOT\n\n",
            "a\n1\nROOT\nextension\n\n", "a\n9223372036854775808\nROOT\n", "a\n99999999999999999999999\nROOT\n",
            "a\n1\nAAAA\n",
            "a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",
            "a\n1\nCsUYapGGPo4dkMgIAUqom_Xajj7h2fB2MPA3j2jxq2I=\n",
            "a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n", "a\n1\nROOT\nextension", "a\n١\nROOT\n",
            "a\t\n1\nROOT\n",
        ])
    func refused(text: String) {
        let text = text.replacing("ROOT", with: Self.root)
        #expect(throws: TransparencyError.self) { try Checkpoint(text: text) }
    }

    @Test("the largest size and lines after the root are read")
    func edges() throws {
        let text = "a\n9223372036854775807\n\(Self.root)\nextension\n"
        let checkpoint = try Checkpoint(text: text)
        #expect(checkpoint.size == Int.max && checkpoint.extensions == ["extension"] && checkpoint.text == text)
        #expect(throws: TransparencyError.self) { try Checkpoint(text: text + String(repeating: "x\n", count: 64)) }
        let long = String(repeating: "a", count: 256)
        #expect(throws: TransparencyError.self) { try Checkpoint(origin: long, size: 0, root: MerkleTree.emptyRoot) }
        #expect(throws: TransparencyError.self) { try Checkpoint(origin: "a", size: -1, root: MerkleTree.emptyRoot) }
    }

    @Test("a checkpoint of another origin is not the log's, whoever signed it")
    func otherOrigin() throws {
        let key = try Keys.log("log.example/a")
        let text = try Checkpoint(origin: "log.example/b", size: 0, root: MerkleTree.emptyRoot).text
        let note = try SignedNote(text: text, signatures: [try key.sign(text)])
        #expect(throws: TransparencyError.self) { try SignedCheckpoint(note, by: [key.verifier]) }
    }

    @Test("origins that Unicode calls equivalent are different logs")
    func equivalentOrigins() throws {
        let key = try Keys.log("log.example/\u{E9}")
        let text = try Checkpoint(origin: "log.example/e\u{301}", size: 0, root: MerkleTree.emptyRoot).text
        let note = try SignedNote(text: text, signatures: [try key.sign(text)])
        #expect(throws: TransparencyError.self) { try SignedCheckpoint(note, by: [key.verifier]) }
    }

    @Test("a signed checkpoint with any single bit flipped is refused")
    func flips() throws {
        let key = try Keys.log("log.example/a")
        let text = try Checkpoint(origin: "log.example/a", size: 5, root: NaiveTree.root(leaves(5)[...])).text
        let note = try SignedNote(text: text, signatures: [try key.sign(text)])
        for bytes in TransparencyLogTests.flips(of: note.bytes) {
            #expect(throws: TransparencyError.self) {
                try SignedCheckpoint(try SignedNote(bytes), by: [key.verifier])
            }
        }
    }

    @Test("a cosignature says when it was made, over the text with header and time")
    func cosignature() throws {
        let witness = try Keys.witness("witness.example/w1")
        #expect(
            String(decoding: witness.verifier.message(for: Self.text, time: 1_679_315_147), as: UTF8.self)
                == "cosignature/v1\ntime 1679315147\n" + Self.text)
        let signature = try witness.sign(Self.text, time: 1_679_315_147)
        #expect(signature.bytes.count == 72)
        #expect(try signature.verified(by: witness.verifier, over: Self.text).time == 1_679_315_147)
        for bytes in TransparencyLogTests.flips(of: signature.bytes) {
            let flipped = try NoteSignature(named: witness.verifier, bytes: bytes)
            #expect(throws: TransparencyError.self) { try flipped.verified(by: witness.verifier, over: Self.text) }
        }
        for bytes in [
            [], [1], Array(signature.bytes.dropLast()), signature.bytes + [0], Array(signature.bytes.dropFirst(8)),
        ]
        where !bytes.isEmpty {
            let wrong = try NoteSignature(named: witness.verifier, bytes: bytes)
            #expect(throws: TransparencyError.self) { try wrong.verified(by: witness.verifier, over: Self.text) }
        }
    }

    @Test("a plain signature does not pass for a cosignature, nor the other way round")
    func types() throws {
        let seed = Hash(of: []).bytes
        let plain = try SigningKey(name: "a", type: .ed25519, seed: seed)
        let timed = try SigningKey(name: "a", type: .cosignature, seed: seed)
        #expect(plain.verifier.id != timed.verifier.id)
        #expect(throws: TransparencyError.self) {
            try plain.sign(Self.text).verified(by: timed.verifier, over: Self.text)
        }
        #expect(throws: TransparencyError.self) {
            try timed.sign(Self.text, time: 1).verified(by: plain.verifier, over: Self.text)
        }
        #expect(throws: TransparencyError.self) { try timed.sign(Self.text, time: -1) }
    }
}
