package import EventStore

/// The checks that a client makes. They trust nothing but the roots that they are given.
package enum TreeProof {
    /// The most hashes that a proof in a tree of at most 2^63 leaves has; C2SP tlog-witness, "add-checkpoint", allows
    /// as many.
    package static let maximumHashes = 63

    /// Whether a proof leads from a leaf to a root (RFC 9162 section 2.1.3.2).
    package static func includes(
        _ leaf: Hash, index: Int, size: Int, root: Hash, proof: some Collection<Hash>
    ) -> Bool {
        guard index >= 0, index < size else { return false }
        var (place, last, node) = (index, size - 1, leaf)
        for hash in proof {
            if last == 0 { return false }
            if place & 1 == 1 || place == last {
                node = Hash.node(hash, node)
                while place & 1 == 0, place != 0 { (place, last) = (place >> 1, last >> 1) }
            } else {
                node = Hash.node(node, hash)
            }
            (place, last) = (place >> 1, last >> 1)
        }
        return last == 0 && node == root
    }

    /// Whether a proof shows that a tree goes on from an older one (RFC 9162 section 2.1.4.2).
    ///
    /// Equal sizes need equal roots and an empty proof. An old size of 0 is refused, as the algorithm does: whoever
    /// takes the empty tree for a beginning says so.
    package static func connects(
        _ old: (size: Int, root: Hash), to new: (size: Int, root: Hash), proof: some Collection<Hash>
    ) -> Bool {
        guard old.size > 0, old.size <= new.size else { return false }
        if old.size == new.size { return proof.isEmpty && old.root == new.root }
        // A complete old tree is a node of the new one, so its root begins the path and is not sent.
        let isComplete = old.size & (old.size - 1) == 0
        guard let first = isComplete ? old.root : proof.first else { return false }
        var (place, last) = (old.size - 1, new.size - 1)
        while place & 1 == 1 { (place, last) = (place >> 1, last >> 1) }
        var (older, newer) = (first, first)
        for hash in proof.dropFirst(isComplete ? 0 : 1) {
            if last == 0 { return false }
            if place & 1 == 1 || place == last {
                (older, newer) = (Hash.node(hash, older), Hash.node(hash, newer))
                while place & 1 == 0, place != 0 { (place, last) = (place >> 1, last >> 1) }
            } else {
                newer = Hash.node(newer, hash)
            }
            (place, last) = (place >> 1, last >> 1)
        }
        return last == 0 && older == old.root && newer == new.root
    }
}
