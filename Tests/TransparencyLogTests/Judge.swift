import EventStore
import Foundation
import TestPrograms
import Testing
import TransparencyLog

/// The script `Tests/Foreign/signatures.py`, which checks signatures with Python's `cryptography`.
enum PythonJudge {
    private static let python = Judge.root.appending(path: ".build/python/bin/python").path

    static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: python) }

    /// Runs it; gives the exit status and what it said.
    static func run(_ arguments: [String]) async throws -> (status: Int32, said: String) {
        let script = Judge.root.appending(path: "Tests/Foreign/signatures.py").path
        let judge = try RunningProgram(path: python, [script] + arguments)
        let status = try await judge.waitForExit()
        return (status, judge.output + judge.errors)
    }
}

/// A log as static files in the layout of C2SP tlog-tiles, written with nothing but `TransparencyLog`.
struct PublishedLog {
    let directory: String
    let key: SigningKey
    private(set) var tree = StoredTree()
    private var entries: [[UInt8]] = []

    init(in scratch: ScratchDirectory) throws {
        (directory, key) = (scratch.path + "/log", try Keys.log("log.example/judged"))
    }

    /// Appends entries up to a size and writes all that a client may then ask for, the checkpoint last.
    mutating func publish(size: Int) throws {
        let old = entries.count
        while entries.count < size {
            let entry = Array("{\"number\":\(entries.count)}".utf8)
            entries.append(entry)
            tree.append(Hash.leaf(of: entry))
        }
        for level in 0..<8 {
            let count = TilePath.hashes(onLevel: level, ofSize: size)
            let first = TilePath.hashes(onLevel: level, ofSize: old) / 256
            for index in first..<max(first, (count + 255) / 256) {
                guard let tile = TilePath.tile(level: level, index: index, ofSize: size) else { continue }
                try write(Tile.encode(tree.read(tile.range)), to: tile.description)
            }
        }
        for index in (old / 256)..<max(old / 256, (size + 255) / 256) {
            guard let bundle = TilePath.bundle(index: index, ofSize: size) else { continue }
            let range = bundle.range
            try write(
                try EntryBundle.encode(Array(entries[range.start..<(range.start + range.count)])),
                to: bundle.description)
        }
        try write(try note(size: size, root: tree.frontier.root).bytes, to: "checkpoint")
    }

    func note(size: Int, root: Hash) throws -> SignedNote {
        let text = try Checkpoint(origin: key.verifier.name, size: size, root: root).text
        return try SignedNote(text: text, signatures: [try key.sign(text)])
    }

    func write(_ bytes: [UInt8], to path: String) throws {
        let file = URL(fileURLWithPath: directory + "/" + path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
    }

    func read(_ path: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: directory + "/" + path)))
    }
}
