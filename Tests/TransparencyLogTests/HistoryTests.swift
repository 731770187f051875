import EventStore
import TestTrees
import Testing
import TransparencyLog

/// The heads tree, and proofs of whole histories.
@Suite struct HistoryTests {
    private static func stream(_ number: UInt64) -> StreamID { StreamID(Identifier(high: number << 16, low: number)) }

    private static func head(_ number: UInt64, version: Int = 1) -> Head {
        Head(stream: stream(number), version: version, leaf: Hash.leaf(of: Array("\(number)|\(version)".utf8)))
    }

    @Test("a head is a line, and a line that is not written so is refused")
    func lines() throws {
        let head = Self.head(7, version: 12)
        #expect(head.line == "appointment-00000000-0007-0000-0000-000000000007|12|\(head.leaf)")
        #expect(Head(line: head.line) == head && head.hash == Hash.leaf(of: Array(head.line.utf8)))
        for bytes in flips(of: Array(head.line.utf8)) {
            guard let text = String(validating: bytes, as: UTF8.self), let read = Head(line: text) else { continue }
            #expect(read != head && read.line == text)
        }
        for line in ["", "||", head.line + "|", head.line.replacing("|12|", with: "|0|")] {
            #expect(Head(line: line) == nil)
        }
        #expect(Head(line: head.line.replacing("|12|", with: "|012|")) == nil)
    }

    @Test("the heads tree is the naive tree over the sorted lines, made whole or grown by any changes")
    func tree() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("HistoryTests.tree: seed \(seed)")
        var random = SeededRandom(seed)
        var (grown, known) = (try HeadsTree(), [UInt64: Head]())
        for round in 0..<40 {
            var changes: [Head] = []
            for _ in 0..<Int.random(in: 1...120, using: &random) {
                let number = random.next() % 4000
                if changes.contains(where: { $0.stream == Self.stream(number) }) { continue }
                let head = Self.head(number, version: (known[number]?.version ?? 0) + 1)
                known[number] = head
                changes.append(head)
            }
            grown.update(changes)
            let sorted = known.values.sorted { $0.line.utf8.lexicographicallyPrecedes($1.line.utf8) }
            #expect(grown.heads == sorted)
            let root = NaiveTree.root(sorted.map { Hash.leaf(of: Array($0.line.utf8)) }[...])
            let made = try HeadsTree(changes + sorted.filter { !changes.contains($0) })
            #expect(grown.root == root && made.root == root, "round \(round), seed \(seed)")
        }
        for number in 0..<UInt64(4000) where number % 7 == 0 {
            let answer = grown.answer(for: Self.stream(number))
            #expect(answer.isProven(of: Self.stream(number), size: grown.size, root: grown.root), "seed \(seed)")
            if case .present(let proven) = answer {
                #expect(proven.head == known[number])
            } else {
                #expect(known[number] == nil)
            }
        }
    }

    @Test("absence is proved by two neighbours, by one at an end, and by none in an empty tree")
    func absence() throws {
        let tree = try HeadsTree([2, 4, 6, 8].map { Self.head($0) })
        for (number, count) in [(1, 1), (3, 2), (5, 2), (7, 2), (9, 1)] as [(UInt64, Int)] {
            guard case .absent(let neighbours) = tree.answer(for: Self.stream(number)) else {
                Issue.record("\(number) is not there")
                continue
            }
            #expect(neighbours.count == count)
            #expect(HeadAnswer.absent(neighbours).isProven(of: Self.stream(number), size: 4, root: tree.root))
            for other in 1...9 where other != number {
                let isProven = HeadAnswer.absent(neighbours).isProven(
                    of: Self.stream(UInt64(other)), size: 4, root: tree.root)
                #expect(!isProven)
            }
            if count == 2 {
                for part in [
                    [neighbours[0]], [neighbours[1]], [neighbours[1], neighbours[0]], neighbours + neighbours, [],
                ] {
                    #expect(!HeadAnswer.absent(part).isProven(of: Self.stream(number), size: 4, root: tree.root))
                }
            }
        }
        let (first, last) = (tree.answer(for: Self.stream(2)), tree.answer(for: Self.stream(8)))
        if case .present(let first) = first, case .present(let last) = last {
            let apart = HeadAnswer.absent([first, last])
            #expect(!apart.isProven(of: Self.stream(5), size: 4, root: tree.root))
        }
        let empty = try HeadsTree()
        #expect(empty.answer(for: Self.stream(1)) == .absent([]) && empty.root == MerkleTree.emptyRoot)
        #expect(HeadAnswer.absent([]).isProven(of: Self.stream(1), size: 0, root: empty.root))
        #expect(!HeadAnswer.absent([]).isProven(of: Self.stream(1), size: 4, root: tree.root))
        #expect(throws: TransparencyError.self) { try HeadsTree([Self.head(1), Self.head(1, version: 2)]) }
    }

    @Test("the note over the heads names the log and its size, and nothing else is read as one")
    func headsNote() throws {
        let heads = HeadsCheckpoint(origin: "log.example/a", logSize: 12, size: 3, root: MerkleTree.emptyRoot)
        let text = try heads.checkpoint().text
        #expect(text == "log.example/a/heads\n3\n\(MerkleTree.emptyRoot)\nsize 12\n")
        let read = try HeadsCheckpoint(text: text)
        #expect(read.origin == "log.example/a" && read.logSize == 12 && read.size == 3)
        for wrong in [
            text.replacing("/heads", with: ""), text.replacing("size 12\n", with: ""), text + "more\n",
            text.replacing("size 12", with: "size 012"), text.replacing("size 12", with: "Size 12"),
        ] { #expect(throws: TransparencyError.self) { try HeadsCheckpoint(text: wrong) } }
    }

    @Test("the history of every stream is proved, file and all, and so is that there is none")
    func history() throws {
        let log = try SmallLog(streams: 5, events: 40)
        for number in 0..<5 {
            let proof = try log.proof(of: log.streams[number])
            let read = try HistoryProof(proof.bytes)
            #expect(read.bytes == proof.bytes)
            let history = try read.verify(by: try log.policy())
            #expect(
                history.entries.map(\.bytes) == log.entries.filter { $0.stream == log.streams[number] }.map(\.bytes))
            #expect(history.trusted.checkpoint.size == 40)
        }
        let absent = try log.proof(of: Self.stream(0xFFFF))
        let text = String(decoding: absent.bytes, as: UTF8.self)
        #expect(text.contains(#""events":[],"heads":{"note":"#) && text.contains(#""absent":[{"index":4,"line":"#))
        #expect(try HistoryProof(absent.bytes).verify(by: try log.policy()).entries.isEmpty)
    }

    @Test("a history that lacks an event, has one too many, or is of another stream or size is refused")
    func lies() throws {
        let log = try SmallLog(streams: 5, events: 40)
        let (whole, policy) = (try log.proof(of: log.streams[1]), try log.policy())
        func refused(
            _ items: [HistoryProof.Item]? = nil, stream: StreamID? = nil, head: HeadAnswer? = nil,
            headsNote: SignedNote? = nil, checkpoint: SignedNote? = nil
        ) {
            let proof = HistoryProof(
                stream: stream ?? whole.stream, checkpoint: checkpoint ?? whole.checkpoint, items: items ?? whole.items,
                headsNote: headsNote ?? whole.headsNote, head: head ?? whole.head)
            #expect(throws: TransparencyError.self) { try proof.verify(by: policy) }
        }
        refused(Array(whole.items.dropLast()))
        refused(Array(whole.items.dropFirst()))
        refused(Array(whole.items.prefix(2)) + whole.items.dropFirst(3))
        refused(whole.items + whole.items.suffix(1))
        refused([])
        refused(stream: log.streams[2])
        let older = try log.proof(of: log.streams[1], size: 39)
        refused(headsNote: older.headsNote, checkpoint: nil)
        refused(checkpoint: older.checkpoint)
        refused(head: try log.proof(of: log.streams[2]).head)
        refused([], head: try log.proof(of: Self.stream(0xFFFF)).head)
        #expect(throws: TransparencyError.self) {
            try whole.verify(by: TrustPolicy(log: try Keys.log("log.other").verifier))
        }
    }

    @Test("a file with any single bit flipped is refused, or says the same in other letters")
    func flipped() throws {
        let log = try SmallLog(streams: 2, events: 3)
        let (bytes, policy) = (try log.proof(of: log.streams[1]).bytes, try log.policy())
        for flipped in flips(of: bytes) {
            guard let proof = try? HistoryProof(flipped), (try? proof.verify(by: policy)) != nil else { continue }
            #expect(proof.bytes == bytes)
        }
        for count in 0..<bytes.count {
            #expect(throws: TransparencyError.self) { try HistoryProof(Array(bytes.prefix(count))) }
        }
    }

    @Test("members that are unknown, missing or there twice are refused")
    func members() throws {
        let log = try SmallLog(streams: 2, events: 5)
        let text = String(decoding: try log.proof(of: log.streams[1]).bytes, as: UTF8.self)
        for (old, new) in [
            (#""format":"#, #""Format":"#), ("history@v1", "history@v2"), (#"{"format":"#, #"{"more":1,"format":"#),
            (#"{"format":"#, #"{"events":[],"format":"#), (#""index":"#, #""index":-"#),
            (#""proof":["#, #""proof":["AAAA","#),
            (#""index":"#, #""index":99999999999999999999"#), (#","heads":{"#, #","absent":[],"heads":{"#),
        ] {
            let wrong = text.replacing(old, with: new)
            #expect(wrong != text)
            #expect(throws: TransparencyError.self) { try HistoryProof(Array(wrong.utf8)).verify(by: try log.policy()) }
        }
    }
}

/// A log of a few appointments, in memory, with its checkpoint and its heads.
struct SmallLog {
    let streams: [StreamID]
    private(set) var entries: [Entry] = []
    private let key: SigningKey

    init(streams count: Int, events: Int) throws {
        key = try Keys.log("log.example/a")
        streams = (0..<count).map { StreamID(Identifier(high: UInt64($0 + 1) << 16, low: 3)) }
        var (last, random): ([StreamID: Entry], _) = ([:], SeededRandom(1))
        for number in 0..<events {
            let stream = streams[number < count ? number : Int(random.next() % UInt64(count))]
            let event = NewEvent(
                type: "requested", schema: 1, id: Identifier(high: 1, low: UInt64(number)),
                at: Timestamp(milliseconds: 5),
                country: "PE", actor: "test", correlation: "c", causation: nil, data: Array("{}".utf8))
            let before = last[stream]
            let previous = before.map { Hash.leaf(of: $0.bytes) }
            let entry = try Entry(event, stream: stream, version: (before?.version ?? 0) + 1, previous: previous)
            last[stream] = entry
            entries.append(entry)
        }
    }

    func policy() throws -> TrustPolicy { TrustPolicy(log: key.verifier) }

    /// The proof of a history at the size of the log, or before.
    func proof(of stream: StreamID, size: Int? = nil) throws -> HistoryProof {
        let entries = entries.prefix(size ?? entries.count)
        let tree = StoredTree(entries.map { Hash.leaf(of: $0.bytes) })
        var heads: [StreamID: Head] = [:]
        for entry in entries {
            heads[entry.stream] = Head(
                stream: entry.stream, version: entry.version, leaf: Hash.leaf(of: entry.bytes))
        }
        let headsTree = try HeadsTree(Array(heads.values))
        let items = try entries.enumerated().filter { $1.stream == stream }.map { index, entry in
            HistoryProof.Item(
                index: index, entry: entry.bytes,
                proof: try tree.answer(.inclusion(of: index, inSize: entries.count)))
        }
        let checkpoint = try Checkpoint(origin: "log.example/a", size: entries.count, root: tree.frontier.root)
        let headsCheckpoint = try HeadsCheckpoint(
            origin: "log.example/a", logSize: entries.count, size: headsTree.size, root: headsTree.root
        ).checkpoint()
        return HistoryProof(
            stream: stream, checkpoint: try sign(checkpoint), items: items, headsNote: try sign(headsCheckpoint),
            head: headsTree.answer(for: stream))
    }

    private func sign(_ checkpoint: Checkpoint) throws -> SignedNote {
        try SignedNote(text: checkpoint.text, signatures: [try key.sign(checkpoint.text)])
    }
}
