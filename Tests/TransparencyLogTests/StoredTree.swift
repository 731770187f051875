import EventStore
import TransparencyLog

/// A log as an engine keeps it, in memory: the frontier, the leaves, and the hashes that the frontier reports.
struct StoredTree {
    private(set) var frontier = Frontier()
    private(set) var levels: [[Hash]] = [[]]

    init(_ leaves: some Sequence<Hash> = []) { for leaf in leaves { append(leaf) } }

    mutating func append(_ leaf: Hash) {
        levels[0].append(leaf)
        var reported: [TreeHash] = []
        frontier.append(leaf) { reported.append($0) }
        for hash in reported {
            if levels.count == hash.level { levels.append([]) }
            precondition(levels[hash.level].count == hash.index, "hashes of a level come in their order")
            levels[hash.level].append(hash.hash)
        }
    }

    func read(_ range: HashRange) -> [Hash] {
        range.level < levels.count ? Array(levels[range.level].dropFirst(range.start).prefix(range.count)) : []
    }

    func answer(_ plan: TreePlan?) throws -> [Hash] { try plan.map { try $0.hashes(reading: read) } ?? [] }
}

/// SplitMix64: the same seed gives the same numbers.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func hash() -> Hash { Hash(of: (0..<4).flatMap { _ in withUnsafeBytes(of: next()) { Array($0) } }) }
}

/// Some leaves that differ.
func leaves(_ count: Int) -> [Hash] { (0..<count).map { Hash.leaf(of: Array("entry \($0)".utf8)) } }

/// Every way to flip one bit of some bytes.
func flips(of bytes: [UInt8]) -> some Sequence<[UInt8]> {
    (0..<(8 * bytes.count)).lazy.map { bit in
        var flipped = bytes
        flipped[bit / 8] ^= 1 << (bit % 8)
        return flipped
    }
}

extension Hash {
    /// The same digest but for one bit.
    func flipping(bit: Int) -> Hash {
        var bytes = bytes
        bytes[bit / 8] ^= 1 << (bit % 8)
        return Hash(bytes: bytes) ?? self
    }
}
