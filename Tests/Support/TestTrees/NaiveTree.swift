package import EventStore

/// The tree as RFC 6962 section 2.1 defines it, by recursion: slow, and short enough to be right.
package enum NaiveTree {
    package static func root(_ leaves: ArraySlice<Hash>) -> Hash {
        guard leaves.count > 1 else { return leaves.first ?? Hash(of: []) }
        let middle = leaves.startIndex + split(leaves.count)
        return Hash.node(root(leaves[..<middle]), root(leaves[middle...]))
    }

    package static func path(_ index: Int, _ leaves: ArraySlice<Hash>) -> [Hash] {
        guard leaves.count > 1 else { return [] }
        let middle = leaves.startIndex + split(leaves.count)
        return index < middle
            ? path(index, leaves[..<middle]) + [root(leaves[middle...])]
            : path(index, leaves[middle...]) + [root(leaves[..<middle])]
    }

    package static func consistency(_ old: Int, _ leaves: ArraySlice<Hash>, isWhole: Bool = true) -> [Hash] {
        let end = leaves.startIndex + old
        if end == leaves.endIndex { return isWhole ? [] : [root(leaves)] }
        let middle = leaves.startIndex + split(leaves.count)
        return end <= middle
            ? consistency(old, leaves[..<middle], isWhole: isWhole) + [root(leaves[middle...])]
            : consistency(end - middle, leaves[middle...], isWhole: false) + [root(leaves[..<middle])]
    }

    private static func split(_ count: Int) -> Int {
        var split = 1
        while 2 * split < count { split *= 2 }
        return split
    }
}
