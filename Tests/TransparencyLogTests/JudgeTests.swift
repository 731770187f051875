import EventStore
import TestPrograms
import Testing
import TransparencyLog

/// What we write is judged by a program that shares no line with it.
@Suite(
    "JudgeTests",
    .enabled(if: Judge.isInstalled, "golang-go and golang-golang-x-mod-dev are missing: scripts/install.sh test"))
struct JudgeTests {
    private let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    @Test("Go finds our log whole at every edge of a tile, and consistent while it grows")
    func grows() async throws {
        var log = try PublishedLog(in: scratch)
        var older: [String] = []
        for size in [0, 1, 2, 255, 256, 257, 511, 1000, 65535, 65536, 65537] {
            try log.publish(size: size)
            let (status, said) = try await Judge.run(["log", log.directory, log.key.verifier.description] + older)
            #expect(status == 0 && said == "size \(size)\n", "at size \(size): \(said)")
            try log.write(try log.read("checkpoint"), to: "older")
            older = [log.directory + "/older"]
        }
    }

    @Test("Go refuses a log of ours that was tampered with")
    func tampered() async throws {
        var log = try PublishedLog(in: scratch)
        try log.publish(size: 300)
        let key = log.key.verifier.description
        #expect(try await Judge.run(["log", log.directory, key]).status == 0)
        for path in [
            "checkpoint", "tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000",
            "tile/entries/001.p/44",
        ] {
            let bytes = try log.read(path)
            for place in [0, bytes.count / 2, bytes.count - 1] {
                var wrong = bytes
                wrong[place] ^= 1
                try log.write(wrong, to: path)
                #expect(try await Judge.run(["log", log.directory, key]).status == 2, "byte \(place) of \(path)")
            }
            try log.write(bytes, to: path)
        }
        let stranger = try Keys.log("log.example/other").verifier.description
        #expect(try await Judge.run(["log", log.directory, stranger]).status == 2)
        #expect(try await Judge.run(["log", log.directory, key]).status == 0)
    }

    @Test("Go refuses a log that does not go on from its older checkpoint")
    func fork() async throws {
        var log = try PublishedLog(in: scratch)
        try log.publish(size: 300)
        let key = log.key.verifier.description
        let older = log.directory + "/older"
        try log.write(try log.note(size: 200, root: leaves(1)[0]).bytes, to: "older")
        #expect(try await Judge.run(["log", log.directory, key, older]).status == 2)
        let root = try log.tree.answer(.root(ofSize: 200))[0]
        try log.write(try log.note(size: 200, root: root).bytes, to: "older")
        #expect(try await Judge.run(["log", log.directory, key, older]).status == 0)
    }

    @Test("Go signs with a signing key of ours, byte for byte as we do")
    func signing() async throws {
        let key = try Keys.log("log.example/judged")
        let text = "log.example/judged\n0\n\(MerkleTree.emptyRoot)\n"
        let (status, said) = try await Judge.run(["sign"], input: key.secretText + "\n" + text)
        #expect(status == 0, "\(said)")
        #expect(Array(said.utf8) == (try SignedNote(text: text, signatures: [try key.sign(text)])).bytes)
    }
}

/// Signatures of ours, checked by Python.
@Suite(
    "PythonJudgeTests",
    .enabled(if: PythonJudge.isInstalled, "the environment of Python is missing: scripts/python.sh"))
struct PythonJudgeTests {
    private let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    @Test("Python finds the signatures of log and witness right, and sees a changed text and a missing signature")
    func signatures() async throws {
        let log = try PublishedLog(in: scratch)
        let witness = try Keys.witness("witness.example/w1")
        var note = try log.note(size: 0, root: MerkleTree.emptyRoot)
        try note.add(try witness.sign(note.text, time: 1_679_315_147))
        let arguments = [log.directory + "/note", log.key.verifier.description, witness.verifier.description]
        try log.write(note.bytes, to: "note")
        let (status, said) = try await PythonJudge.run(arguments)
        #expect(status == 0 && said == "log.example/judged\nwitness.example/w1 1679315147\n", "\(said)")
        var other = try SignedNote(text: note.text.replacing("\n0\n", with: "\n1\n"), signatures: note.signatures)
        try log.write(other.bytes, to: "note")
        #expect(try await PythonJudge.run(arguments).status == 2)
        other = try SignedNote(text: note.text, signatures: [note.signatures[0]])
        try log.write(other.bytes, to: "note")
        #expect(try await PythonJudge.run(arguments).status == 2)
    }
}
