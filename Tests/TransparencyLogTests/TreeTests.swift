import EventStore
import TestTrees
import Testing
import TransparencyLog

/// Trees and their proofs, against published vectors and against the definition.
@Suite struct TreeTests {
    private static let inputs: [[UInt8]] = [
        [], [0x00], [0x10], [0x20, 0x21], [0x30, 0x31], [0x40, 0x41, 0x42, 0x43],
        Array(0x50...0x57), Array(0x60...0x6F),
    ]

    private static let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]

    private func hex(_ hash: Hash) -> String {
        hash.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test("trees of 0 to 8 leaves have the roots that logs of certificates publish")
    func publishedRoots() {
        var frontier = Frontier()
        #expect(hex(frontier.root) == Self.roots[0])
        for (leaf, root) in zip(Self.inputs, Self.roots.dropFirst()) {
            frontier.append(Hash.leaf(of: leaf))
            #expect(hex(frontier.root) == root)
        }
    }

    @Test("the tree of fifteen words has the published root")
    func words() {
        var frontier = Frontier()
        let words = """
            one two three four five six seven eit nain ten ileven twelf threeten fourten fivten
            """
        for word in words.split(separator: " ") { frontier.append(Hash.leaf(of: Array(word.utf8))) }
        #expect(frontier.root.description == "rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=")
    }

    @Test("every root and every proof of every small tree is that of the definition, and holds")
    func smallTrees() throws {
        let leaves = leaves(70)
        let tree = StoredTree(leaves)
        for size in 0...leaves.count {
            let root = NaiveTree.root(leaves[..<size])
            #expect(try tree.answer(.root(ofSize: size)) == [root])
            for index in 0..<size {
                let proof = try tree.answer(.inclusion(of: index, inSize: size))
                #expect(proof == NaiveTree.path(index, leaves[..<size]))
                #expect(TreeProof.includes(leaves[index], index: index, size: size, root: root, proof: proof))
            }
            for old in 1..<max(1, size + 1) {
                let proof = try tree.answer(.consistency(from: old, to: size))
                #expect(proof == NaiveTree.consistency(old, leaves[..<size]))
                let older = NaiveTree.root(leaves[..<old])
                #expect(TreeProof.connects((old, older), to: (size, root), proof: proof))
            }
        }
    }

    @Test("random trees that cross the edges of tiles give the roots and proofs of the definition")
    func randomTrees() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("TreeTests.randomTrees: seed \(seed)")
        var random = SeededRandom(seed)
        let leaves = (0..<65_800).map { _ in random.hash() }
        let tree = StoredTree(leaves)
        let edges = [255, 256, 257, 511, 512, 513, 65535, 65536, 65537, leaves.count]
        for size in edges + (0..<10).map({ _ in Int.random(in: 1...3000, using: &random) }) {
            let root = NaiveTree.root(leaves[..<size])
            #expect(try tree.answer(.root(ofSize: size)) == [root], "size \(size), seed \(seed)")
            for index in [size - 1, Int.random(in: 0..<size, using: &random)] {
                let proof = try tree.answer(.inclusion(of: index, inSize: size))
                #expect(proof == NaiveTree.path(index, leaves[..<size]), "\(index) in \(size), seed \(seed)")
                #expect(TreeProof.includes(leaves[index], index: index, size: size, root: root, proof: proof))
            }
            let old = Int.random(in: 1...size, using: &random)
            let proof = try tree.answer(.consistency(from: old, to: size))
            #expect(proof == NaiveTree.consistency(old, leaves[..<size]), "\(old) to \(size), seed \(seed)")
            let older = NaiveTree.root(leaves[..<old])
            #expect(TreeProof.connects((old, older), to: (size, root), proof: proof))
        }
    }

    @Test("a plan reads at most 256 hashes of a tile, and each tile once")
    func reads() throws {
        let plan = try #require(TreePlan.inclusion(of: 700_001, inSize: 1_000_000))
        #expect(
            plan.reads.allSatisfy { (1...256).contains($0.count) && $0.start / 256 == ($0.start + $0.count - 1) / 256 })
        #expect(Set(plan.reads.map { [$0.level, $0.start / 256] }).count == plan.reads.count)
        #expect(plan.reads.count <= 5)
        #expect(throws: TransparencyError.self) { try plan.hashes(from: []) }
        #expect(throws: TransparencyError.self) { try plan.hashes { _ in [] } }
    }

    @Test("a proof that was made from a tile that was tampered with does not hold")
    func tamperedTile() throws {
        let leaves = leaves(700)
        let tree = StoredTree(leaves)
        let plan = try #require(TreePlan.inclusion(of: 300, inSize: 700))
        for read in plan.reads {
            for place in 0..<read.count where read.level > 0 || read.start + place != 300 {
                let proof = try plan.hashes { range in
                    var hashes = tree.read(range)
                    if range == read { hashes[place] = hashes[place].flipping(bit: place % 256) }
                    return hashes
                }
                let root = tree.frontier.root
                #expect(!TreeProof.includes(leaves[300], index: 300, size: 700, root: root, proof: proof))
            }
        }
    }

    @Test("what is outside of the tree has no plan")
    func outside() {
        #expect(TreePlan.inclusion(of: 5, inSize: 5) == nil)
        #expect(TreePlan.inclusion(of: -1, inSize: 5) == nil)
        #expect(TreePlan.inclusion(of: 0, inSize: 0) == nil)
        #expect(TreePlan.consistency(from: 0, to: 5) == nil)
        #expect(TreePlan.consistency(from: 6, to: 5) == nil)
        #expect(TreePlan.consistency(from: -1, to: 5) == nil)
        #expect(TreePlan.consistency(from: Int.max - 1, to: Int.max)?.reads.isEmpty == false)
        #expect(TreePlan.inclusion(of: Int.max - 1, inSize: Int.max)?.reads.isEmpty == false)
    }
}

/// Proofs that are wrong, and frontiers that are none.
@Suite struct BadProofTests {
    private let all = leaves(21)

    private func root(_ size: Int) -> Hash { NaiveTree.root(all[..<size]) }

    @Test("an inclusion proof with one bit flipped, too short, too long, or of another place is refused")
    func inclusion() {
        for index in all.indices {
            let proof = NaiveTree.path(index, all[...])
            func holds(_ proof: [Hash], index: Int = index, size: Int = 21, leaf: Hash? = nil, root: Hash? = nil)
                -> Bool
            {
                let (leaf, root) = (leaf ?? all[index % 21], root ?? self.root(21))
                return TreeProof.includes(leaf, index: index, size: size, root: root, proof: proof)
            }
            #expect(holds(proof))
            for place in proof.indices {
                for bit in 0..<256 {
                    var flipped = proof
                    flipped[place] = flipped[place].flipping(bit: bit)
                    #expect(!holds(flipped))
                }
            }
            for bit in 0..<256 {
                #expect(!holds(proof, leaf: all[index].flipping(bit: bit)))
                #expect(!holds(proof, root: root(21).flipping(bit: bit)))
            }
            #expect(!holds(Array(proof.dropLast())) && !holds(Array(proof.dropFirst())) && !holds(proof + [root(1)]))
            #expect(!holds([]) && !holds(proof.reversed()))
            for other in -1...22 where other != index {
                #expect(
                    !TreeProof.includes(all[index], index: other, size: 21, root: root(21), proof: proof))
            }
            #expect(!holds(proof, size: index) && !holds(proof, size: 0) && !holds(proof, size: -1))
            #expect(!holds(proof, size: Int.max))
        }
    }

    @Test("a consistency proof with one bit flipped, too short, too long, or of other sizes is refused")
    func consistency() {
        for old in 1..<21 {
            let proof = NaiveTree.consistency(old, all[...])
            func holds(_ proof: [Hash], old: Int = old, new: Int = 21) -> Bool {
                TreeProof.connects((old, root(min(old, 21))), to: (new, root(21)), proof: proof)
            }
            #expect(holds(proof))
            for place in proof.indices {
                for bit in 0..<256 {
                    var flipped = proof
                    flipped[place] = flipped[place].flipping(bit: bit)
                    #expect(!holds(flipped))
                }
            }
            for bit in 0..<256 {
                let (older, newer) = (root(old), root(21))
                #expect(!TreeProof.connects((old, older.flipping(bit: bit)), to: (21, newer), proof: proof))
                #expect(!TreeProof.connects((old, older), to: (21, newer.flipping(bit: bit)), proof: proof))
            }
            #expect(!holds(Array(proof.dropLast())) && !holds(proof + [root(1)]) && !holds([]))
            #expect(!holds(proof, new: old - 1) && !holds(proof, new: old))
        }
        let empty = MerkleTree.emptyRoot
        #expect(!TreeProof.connects((0, empty), to: (21, root(21)), proof: []))
        #expect(!TreeProof.connects((-1, empty), to: (21, root(21)), proof: []))
        #expect(TreeProof.connects((21, root(21)), to: (21, root(21)), proof: []))
        #expect(!TreeProof.connects((21, root(21)), to: (21, root(21)), proof: [root(1)]))
        #expect(!TreeProof.connects((21, root(21)), to: (21, root(20)), proof: []))
    }

    @Test("a frontier comes back from its bytes, and from the stored hashes, and goes on")
    func frontierBytes() throws {
        var tree = StoredTree()
        for (count, leaf) in leaves(600).enumerated() {
            let bytes = tree.frontier.bytes
            var read = try #require(Frontier(bytes: bytes))
            #expect(read == tree.frontier && read.size == count)
            let hashes = try tree.answer(.frontier(ofSize: count))
            #expect(Frontier(size: count, hashes: hashes) == tree.frontier)
            tree.append(leaf)
            read.append(leaf)
            #expect(read == tree.frontier)
        }
    }

    @Test("bytes that are no frontier are refused")
    func badFrontier() {
        var frontier = Frontier()
        for leaf in leaves(5) { frontier.append(leaf) }
        let bytes = frontier.bytes
        for count in 0..<bytes.count { #expect(Frontier(bytes: bytes.prefix(count)) == nil) }
        #expect(Frontier(bytes: bytes + [0]) == nil && Frontier(bytes: bytes + bytes) == nil)
        #expect(Frontier(bytes: [0x80] + bytes.dropFirst()) == nil)
        #expect(Frontier(bytes: [UInt8](repeating: 0xFF, count: 8 + 32 * 64)) == nil)
        #expect(Frontier(size: -1, hashes: []) == nil && Frontier(size: 3, hashes: [frontier.root]) == nil)
    }
}
