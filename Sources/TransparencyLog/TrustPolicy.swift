/// Which logs and witnesses are trusted, and how many of them it takes (C2SP tlog-policy).
package struct TrustPolicy: Sendable {
    /// A log that is known (C2SP tlog-policy, "Defining a log").
    package struct Log: Sendable {
        /// Its key, which is named like its origin.
        package let key: VerifierKey
        package let url: String?
    }

    /// A witness that is known (C2SP tlog-policy, "Defining a witness").
    package struct Witness: Sendable {
        /// What the policy calls it, in any bytes but white space and control characters.
        package let name: [UInt8]
        package let key: VerifierKey
        /// Where it takes checkpoints.
        package let url: String?
    }

    /// A group of witnesses and of groups above it (C2SP tlog-policy, "Defining a witness group").
    struct Group: Sendable {
        let threshold: Int
        let members: [Member]
    }

    /// A witness or a group, by its place among those that are defined.
    enum Member: Hashable, Sendable {
        case witness(Int)
        case group(Int)
    }

    package internal(set) var logs: [Log] = []
    package internal(set) var witnesses: [Witness] = []
    var groups: [Group] = []
    /// Who must have signed; nil where no witness must (C2SP tlog-policy, "Defining the quorum": `none`).
    var quorum: Member?

    init() {}

    /// The policy that trusts one log and asks for no witness.
    package init(log key: VerifierKey) { logs = [Log(key: key, url: nil)] }
}

/// A checkpoint that a policy accepts.
package struct TrustedCheckpoint: Sendable {
    package let checkpoint: Checkpoint
    /// The log's signature.
    package let log: VerifiedSignature
    /// The witnesses' signatures, one for each witness of the policy that has signed.
    package let witnesses: [VerifiedSignature]
}

extension TrustPolicy {
    /// Checks a checkpoint (C2SP tlog-policy, "What is a policy?"): signed by a log of the policy whose key is named
    /// like its origin, and by a quorum of witnesses.
    ///
    /// - Parameter others: keys of logs that are known from elsewhere.
    /// - Throws: `malformed`, `badSignature`, `unsigned`; `quorumMissed` where too few witnesses have signed.
    package func judge(
        _ note: SignedNote, others: [VerifierKey] = []
    ) throws(TransparencyError) -> TrustedCheckpoint {
        let logKeys = logs.map(\.key) + others
        let signed = try SignedCheckpoint(note, by: logKeys, others: witnesses.map(\.key))
        let checkpoint = signed.checkpoint
        let seen = witnesses.map { witness in signed.signatures.first { $0.key == witness.key } }
        guard let log = signed.signatures.first(where: { logKeys.contains($0.key) && checkpoint.belongs(to: $0.key) })
        else { throw TransparencyError(.unsigned, "no key of the log \(checkpoint.origin) has signed its checkpoint") }
        guard isQuorum(seen.map { $0 != nil }) else {
            throw TransparencyError(
                .quorumMissed, "\(seen.count { $0 != nil }) witnesses have signed: these are not enough for the policy")
        }
        return TrustedCheckpoint(checkpoint: checkpoint, log: log, witnesses: seen.compactMap(\.self))
    }

    /// Whether those that have signed are enough. A group has only members above it, so one pass decides all groups.
    private func isQuorum(_ witnessed: [Bool]) -> Bool {
        var decided: [Bool] = []
        func holds(_ member: Member) -> Bool {
            switch member {
            case .witness(let place): witnessed[place]
            case .group(let place): decided[place]
            }
        }
        for group in groups { decided.append(group.members.count(where: holds) >= group.threshold) }
        return quorum.map(holds) ?? true
    }
}
