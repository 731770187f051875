import EventStore
import Testing
import TransparencyLog

/// `tlog-proof` files and trust policies.
@Suite struct LogProofTests {
    private let tree = StoredTree(leaves(300))

    private func note(size: Int = 300) throws -> SignedNote {
        let root = try tree.answer(.root(ofSize: size))[0]
        let text = try Checkpoint(origin: "log.example/a", size: size, root: root).text
        return try SignedNote(text: text, signatures: [try Keys.log("log.example/a").sign(text)])
    }

    private func policy() throws -> TrustPolicy { TrustPolicy(log: try Keys.log("log.example/a").verifier) }

    private func proof(of index: Int, extra: [UInt8]? = nil) throws -> LogProof {
        let hashes = try tree.answer(.inclusion(of: index, inSize: 300))
        return LogProof(index: index, hashes: hashes, note: try note(), extra: extra)
    }

    @Test("a proof comes back byte for byte and holds for its entry alone", arguments: [0, 17, 255, 256, 299])
    func holds(index: Int) throws {
        for extra in [nil, [], Array("{}".utf8)] as [[UInt8]?] {
            let proof = try proof(of: index, extra: extra)
            let read = try LogProof(proof.bytes)
            #expect(read.bytes == proof.bytes && read.extra == extra && read.index == index)
            let trusted = try read.verify(leaves(300)[index], by: try policy())
            #expect(trusted.checkpoint.size == 300)
            #expect(try trusted.log.key == Keys.log("log.example/a").verifier)
            #expect(throws: TransparencyError.self) { try read.verify(leaves(301)[300], by: try policy()) }
        }
    }

    @Test("a proof with any single bit flipped is refused")
    func flipped() throws {
        let (leaf, policy) = (leaves(300)[17], try policy())
        for bytes in flips(of: try proof(of: 17).bytes) {
            #expect(throws: TransparencyError.self) { try LogProof(bytes).verify(leaf, by: policy) }
        }
    }

    @Test("a proof for another size of the tree, or from a log that is not trusted, is refused")
    func otherSize() throws {
        let hashes = try tree.answer(.inclusion(of: 17, inSize: 299))
        let proof = LogProof(index: 17, hashes: hashes, note: try note())
        #expect(throws: TransparencyError.self) { try proof.verify(leaves(300)[17], by: try policy()) }
        let stranger = TrustPolicy(log: try Keys.log("log.example/b").verifier)
        #expect(throws: TransparencyError.self) { try self.proof(of: 17).verify(leaves(300)[17], by: stranger) }
    }

    @Test("a proof that is cut anywhere is refused")
    func cut() throws {
        let bytes = try proof(of: 17).bytes
        for count in 0..<bytes.count { #expect(throws: TransparencyError.self) { try LogProof(bytes.prefix(count)) } }
    }

    @Test(
        "a head that is not written so is refused",
        arguments: [
            "", "c2sp.org/tlog-proof@v2\nindex 0\n\n", "c2sp.org/tlog-proof@v1\r\nindex 0\n\n", "index 0\n\n",
            "c2sp.org/tlog-proof@v1\n\n", "c2sp.org/tlog-proof@v1\nindex 00\n\n",
            "c2sp.org/tlog-proof@v1\nindex -1\n\n",
            "c2sp.org/tlog-proof@v1\nindex  1\n\n", "c2sp.org/tlog-proof@v1\nindex 9223372036854775808\n\n",
            "c2sp.org/tlog-proof@v1\nindex 0\nextra AAAA\n\n", "c2sp.org/tlog-proof@v1\nextra AAA\nindex 0\n\n",
            "c2sp.org/tlog-proof@v1\nextra AAAA\nextra AAAA\nindex 0\n\n", "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\n",
            "c2sp.org/tlog-proof@v1\nextra\nindex 0\n\n", "c2sp.org/tlog-proof@v1\nindex 0 \n\n",
        ])
    func badHead(head: String) throws {
        let note = try note().bytes
        #expect(throws: TransparencyError.self) { try LogProof(Array(head.utf8) + note) }
    }

    @Test("64 lines of hashes are too many, and so is an extra of more than 64 KiB")
    func limits() throws {
        let many = LogProof(index: 0, hashes: leaves(64), note: try note())
        #expect(throws: TransparencyError.self) { try LogProof(many.bytes) }
        #expect(try LogProof(LogProof(index: 0, hashes: leaves(63), note: try note()).bytes).hashes.count == 63)
        let extra = LogProof(index: 0, hashes: [], note: try note(), extra: Array(repeating: 0, count: 65537))
        #expect(throws: TransparencyError.self) { try LogProof(extra.bytes) }
        #expect(throws: TransparencyError.self) {
            try LogProof(Array(repeating: 0x0A, count: LogProof.maximumBytes + 1))
        }
    }

    private func consistency(from old: Int, root: Hash? = nil) throws -> ConsistencyProof {
        ConsistencyProof(
            oldSize: old, oldRoot: try root ?? tree.answer(.root(ofSize: old))[0],
            hashes: try tree.answer(.consistency(from: old, to: 300)), note: try note())
    }

    @Test("a proof of consistency comes back byte for byte and holds", arguments: [0, 1, 7, 256, 299, 300])
    func consistent(old: Int) throws {
        let proof = try consistency(from: old)
        let read = try ConsistencyProof(proof.bytes)
        #expect(read.bytes == proof.bytes && read.oldSize == old)
        #expect(try read.verify(by: try policy()).checkpoint.size == 300)
        #expect(throws: TransparencyError.self) {
            try consistency(from: old, root: leaves(2)[1]).verify(by: try policy())
        }
    }

    @Test("a proof of consistency with any single bit flipped is refused, and so is one that is cut anywhere")
    func flippedConsistency() throws {
        let (bytes, policy) = (try consistency(from: 7).bytes, try policy())
        for flipped in flips(of: bytes) {
            #expect(throws: TransparencyError.self) { try ConsistencyProof(flipped).verify(by: policy) }
        }
        for count in 0..<bytes.count {
            #expect(throws: TransparencyError.self) { try ConsistencyProof(bytes.prefix(count)) }
        }
        let longer = ConsistencyProof(
            oldSize: 301, oldRoot: leaves(1)[0], hashes: [], note: try note())
        #expect(throws: TransparencyError.self) { try longer.verify(by: policy) }
    }
}
