import EventStore
import TransparencyLog

/// The tiles of a log at one checkpoint, each checked up to the root that was signed before any of it is used.
struct ProvenTiles {
    private let source: any LogSource
    let checkpoint: Checkpoint
    /// Tiles above level 0, which are few.
    private var kept: [TilePath: [Hash]] = [:]

    init(_ source: any LogSource, _ checkpoint: Checkpoint) { (self.source, self.checkpoint) = (source, checkpoint) }

    /// Reads the tiles at the right edge, which are those that are not complete, and compares their root with the one
    /// that was signed. All other tiles have their roots in the level above them.
    mutating func open() async throws(MonitorFailure) {
        let plan = TreePlan.root(ofSize: checkpoint.size)
        var answers: [[Hash]] = []
        for range in plan.reads {
            guard let path = range.tile(ofSize: checkpoint.size) else { throw Self.noPlace }
            let hashes = try await read(path)
            kept[path] = hashes
            answers.append(Array(hashes[(range.start % 256)...].prefix(range.count)))
        }
        guard let roots = try? plan.hashes(from: answers), roots == [checkpoint.root] else {
            throw .damaged("the tiles that the log serves do not lead to the root that it has signed")
        }
    }

    /// The hashes of a tile.
    mutating func hashes(level: Int, tile index: Int) async throws(MonitorFailure) -> [Hash] {
        guard let path = TilePath.tile(level: level, index: index, ofSize: checkpoint.size) else { throw Self.noPlace }
        if let hashes = kept[path] { return hashes }
        let hashes = try await read(path)
        // What is not complete was read and checked at the beginning.
        guard path.isFull else { throw Self.noPlace }
        let above = try await self.hashes(level: level + 1, tile: index / 256)
        guard above[index % 256] == MerkleTree.root(over: hashes[...]) else {
            throw .damaged("\(path) of the log does not lead to the root that it has signed")
        }
        if level > 0 { kept[path] = hashes }
        return hashes
    }

    /// The hashes of a proof.
    mutating func hashes(of plan: TreePlan) async throws(MonitorFailure) -> [Hash] {
        var answers: [[Hash]] = []
        for range in plan.reads {
            let tile = try await hashes(level: range.level, tile: range.start / 256)
            answers.append(Array(tile[(range.start % 256)...].prefix(range.count)))
        }
        guard let hashes = try? plan.hashes(from: answers) else { throw Self.noPlace }
        return hashes
    }

    /// The entries of a bundle. They are not compared with their leaves yet.
    func entries(ofBundle index: Int) async throws(MonitorFailure) -> [[UInt8]] {
        guard let path = TilePath.bundle(index: index, ofSize: checkpoint.size) else { throw Self.noPlace }
        let (found, bytes) = try await bytes(path, perItem: 2 + EntryBundle.maximumEntryBytes)
        do throws(TransparencyError) {
            return Array(try EntryBundle.decode(bytes, count: found.width).prefix(path.width))
        } catch {
            throw .damaged("\(path) of the log can't be read: \(error.message)")
        }
    }

    private func read(_ path: TilePath) async throws(MonitorFailure) -> [Hash] {
        let (found, bytes) = try await bytes(path, perItem: 32)
        guard let hashes = Tile.decode(bytes, count: found.width) else {
            throw .damaged("\(path) of the log has \(bytes.count) bytes and not \(32 * found.width)")
        }
        return Array(hashes.prefix(path.width))
    }

    /// A resource, or the complete one that has taken its place (C2SP tlog-tiles, "Partial Tiles").
    private func bytes(_ path: TilePath, perItem: Int) async throws(MonitorFailure) -> (TilePath, [UInt8]) {
        for path in [path, TilePath(path.content, index: path.index)].compactMap(\.self) {
            do throws(NoAnswer) {
                let limit = perItem * path.width
                if let bytes = try await source.read("\(path)", maximumBytes: limit) { return (path, bytes) }
            } catch {
                throw .unreachable(error.description)
            }
        }
        throw .missing("\(path)")
    }

    /// A plan names only what a tree of its size has, so this is for a size that no tree has.
    private static let noPlace = MonitorFailure.damaged("the size that the log has signed is that of no tree")
}
