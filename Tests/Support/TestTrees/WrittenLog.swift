package import EventStore
package import TransparencyLog

/// A log that a test writes by itself, from the naive tree: what a stranger's program would serve.
package struct WrittenLog: Sendable {
    package var entries: [[UInt8]]
    package let key: SigningKey

    package init(_ entries: [[UInt8]], origin: String = "log.example/a") throws {
        self.entries = entries
        key = try SigningKey(name: origin, type: .ed25519, seed: Hash(of: Array(origin.utf8)).bytes)
    }

    package var leaves: [Hash] { entries.map(Hash.leaf(of:)) }

    /// The checkpoint of the first entries, signed.
    package func note(ofSize size: Int, witnesses: [SigningKey] = []) throws -> SignedNote {
        let root = NaiveTree.root(leaves[..<size])
        let text = try Checkpoint(origin: key.verifier.name, size: size, root: root).text
        return try SignedNote(
            text: text, signatures: [try key.sign(text)] + witnesses.map { try $0.sign(text, time: 1_700_000_000) })
    }

    /// The checkpoint of the first entries, checked.
    package func checkpoint(ofSize size: Int) throws -> SignedCheckpoint {
        try SignedCheckpoint(try note(ofSize: size), by: [key.verifier])
    }

    /// All resources of the log at a size, by their paths.
    package func resources(ofSize size: Int) throws -> [String: [UInt8]] {
        var resources = ["checkpoint": try note(ofSize: size).bytes]
        var (hashes, level) = (Array(leaves[..<size]), 0)
        while !hashes.isEmpty {
            for start in stride(from: 0, to: hashes.count, by: 256) {
                let tile = Array(hashes[start..<min(start + 256, hashes.count)])
                guard let path = TilePath(.hashes(level: level), index: start / 256, width: tile.count) else { break }
                resources[path.description] = Tile.encode(tile)
                guard level == 0, let bundle = TilePath(.entries, index: start / 256, width: tile.count) else {
                    continue
                }
                resources[bundle.description] = try EntryBundle.encode(Array(entries[start..<(start + tile.count)]))
            }
            hashes = stride(from: 0, to: hashes.count / 256 * 256, by: 256).map {
                NaiveTree.root(hashes[$0..<($0 + 256)])
            }
            level += 1
        }
        return resources
    }

    /// Entries of appointments: the next version of one of some streams, in turn.
    package static func entries(_ count: Int, streams: Int = 30) throws -> [[UInt8]] {
        var heads: [Int: (version: Int, leaf: Hash)] = [:]
        return try (0..<count).map { number in
            let stream = number * number % streams
            let head = heads[stream]
            let version = (head?.version ?? 0) + 1
            let entry = try entry(stream: stream, version: version, previous: head?.leaf, number: number)
            heads[stream] = (version, Hash.leaf(of: entry))
            return entry
        }
    }

    /// One entry.
    package static func entry(stream: Int, version: Int, previous: Hash?, number: Int) throws -> [UInt8] {
        let event = NewEvent(
            type: "noted", schema: 1, id: Identifier(high: 0x7000, low: 1 << 63 | UInt64(number)),
            at: Timestamp(milliseconds: 1_772_470_800_000), country: "PE", actor: "router", correlation: "c-1",
            causation: nil, data: Array(#"{"number":\#(number)}"#.utf8))
        let id = StreamID(Identifier(high: 0x7001, low: 1 << 63 | UInt64(stream)))
        return try Entry(event, stream: id, version: version, previous: previous).bytes
    }
}

/// The tree of a written log, as its own program keeps it.
extension WrittenLog: LogTree {
    package func frontier() async throws(EventStoreError) -> Frontier {
        var frontier = Frontier()
        for leaf in leaves { frontier.append(leaf) }
        return frontier
    }

    package func hashes(_ ranges: [HashRange]) async throws(EventStoreError) -> [[Hash]] {
        ranges.map { range in
            let width = 1 << (8 * range.level)
            return (range.start..<(range.start + range.count)).filter { ($0 + 1) * width <= entries.count }.map {
                NaiveTree.root(leaves[($0 * width)..<(($0 + 1) * width)])
            }
        }
    }

    package func heads(ofSize size: Int) async throws(EventStoreError) -> [Head] { [] }
}
