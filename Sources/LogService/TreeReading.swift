package import EventStore
package import TransparencyLog

extension LogTree {
    /// The hashes of some plans, read together.
    ///
    /// - Throws: `corrupt` where the store has fewer than a tree of this size must have; `unavailable`.
    package func hashes(of plans: [TreePlan]) async throws(EventStoreError) -> [[Hash]] {
        let reads = plans.flatMap(\.reads)
        var answers = reads.isEmpty ? [] : try await hashes(reads)[...]
        var found: [[Hash]] = []
        for plan in plans {
            let own = Array(answers.prefix(plan.reads.count))
            answers = answers.dropFirst(plan.reads.count)
            found.append(
                try translating(to: .corrupt) { () throws(TransparencyError) in try plan.hashes(from: own) })
        }
        return found
    }

    /// The hashes of one plan.
    package func hashes(of plan: TreePlan) async throws(EventStoreError) -> [Hash] {
        try await hashes(of: [plan])[0]
    }

    /// The root that the tree had at a size.
    ///
    /// - Throws: `corrupt` where it has never had so many leaves; `unavailable`.
    package func root(ofSize size: Int) async throws(EventStoreError) -> Hash {
        if size == 0 { return MerkleTree.emptyRoot }
        return try await hashes(of: .root(ofSize: size))[0]
    }
}

/// Says what is wrong with notes and proofs of a ledger's own as its stores would.
func translating<Value>(
    to code: EventStoreError.Code, _ work: () throws(TransparencyError) -> Value
) throws(EventStoreError) -> Value {
    do throws(TransparencyError) {
        return try work()
    } catch {
        throw EventStoreError(code, message: error.message)
    }
}
