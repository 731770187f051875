extension TrustPolicy {
    /// The most bytes of a policy. The limit is ours, as are the next ones; C2SP tlog-policy, "Implementation limits",
    /// wants 32 logs, 32 witnesses and 32 groups.
    package static let maximumBytes = 262_144
    /// The most logs, the most witnesses and the most groups.
    package static let maximumMembers = 256

    /// Reads a policy (C2SP tlog-policy, "Policy file syntax and structure").
    ///
    /// - Throws: `tooLarge`; `unsupported` for a key of a type that this program does not check; `malformed` for any
    ///   other offence, with the number of the line.
    package init(_ bytes: some Collection<UInt8>) throws(TransparencyError) {
        guard bytes.count <= Self.maximumBytes else {
            throw TransparencyError(.tooLarge, "a policy has more than \(Self.maximumBytes) bytes")
        }
        var lines = LineReader(bytes)
        var reader = PolicyReader()
        while let line = lines.next() {
            reader.line += 1
            try reader.read(line)
        }
        // A file that was cut off could name another quorum than the whole one does.
        guard lines.isAtEnd else {
            throw TransparencyError(.malformed, "the last line of the policy does not end: is the file whole?")
        }
        guard reader.hasQuorum else {
            throw TransparencyError(.malformed, "the policy has no line quorum: 'quorum none' asks for no witness")
        }
        self = reader.policy
    }
}

/// Reads a policy line by line.
private struct PolicyReader {
    var policy = TrustPolicy()
    var line = 0
    var hasQuorum = false
    private var names: [[UInt8]: TrustPolicy.Member] = [:]
    private var listed: Set<TrustPolicy.Member> = []

    private static let none = Array("none".utf8)

    private func wrong(_ what: String) -> TransparencyError {
        TransparencyError(.malformed, "line \(line) of the policy: \(what)")
    }

    mutating func read(_ bytes: ArraySlice<UInt8>) throws(TransparencyError) {
        guard bytes.allSatisfy({ $0 == 0x09 || $0 >= 0x20 && $0 != 0x7F }) else {
            throw wrong("it has a control character")
        }
        let words = bytes.split { $0 == 0x20 || $0 == 0x09 }.map { Array($0) }
        guard let first = words.first, first[0] != UInt8(ascii: "#") else { return }
        let rest = Array(words.dropFirst())
        switch String(decoding: first, as: UTF8.self) {
        case "log": try log(rest)
        case "witness": try witness(rest)
        case "group": try group(rest)
        case "quorum": try quorum(rest)
        default: throw wrong("it begins with none of log, witness, group and quorum")
        }
    }

    private mutating func log(_ words: [[UInt8]]) throws(TransparencyError) {
        guard (1...2).contains(words.count) else { throw wrong("it is not: log KEY [URL]") }
        guard policy.logs.count < TrustPolicy.maximumMembers else { throw tooMany("logs") }
        let key = try key(words[0], of: .ed25519, "a log")
        guard !policy.logs.contains(where: { $0.key.publicKey == key.publicKey }) else {
            throw wrong("its key is that of a log above")
        }
        policy.logs.append(TrustPolicy.Log(key: key, url: words.count > 1 ? text(words[1]) : nil))
    }

    private mutating func witness(_ words: [[UInt8]]) throws(TransparencyError) {
        guard (2...3).contains(words.count) else { throw wrong("it is not: witness NAME KEY [URL]") }
        guard policy.witnesses.count < TrustPolicy.maximumMembers else { throw tooMany("witnesses") }
        let key = try key(words[1], of: .cosignature, "a witness")
        guard !policy.witnesses.contains(where: { $0.key.publicKey == key.publicKey }) else {
            throw wrong("its key is that of a witness above")
        }
        try define(words[0], as: .witness(policy.witnesses.count))
        let url = words.count > 2 ? text(words[2]) : nil
        policy.witnesses.append(TrustPolicy.Witness(name: words[0], key: key, url: url))
    }

    private mutating func group(_ words: [[UInt8]]) throws(TransparencyError) {
        guard words.count >= 3 else { throw wrong("it is not: group NAME all|any|NUMBER MEMBER...") }
        guard policy.groups.count < TrustPolicy.maximumMembers else { throw tooMany("groups") }
        var members: [TrustPolicy.Member] = []
        for name in words.dropFirst(2) {
            guard let member = names[name] else { throw wrong("it lists a name that is not defined above") }
            guard listed.insert(member).inserted else { throw wrong("it lists a name that a group has already") }
            members.append(member)
        }
        let threshold: Int
        switch String(decoding: words[1], as: UTF8.self) {
        case "all": threshold = members.count
        case "any": threshold = 1
        default:
            guard let number = words[1].decimal, (1...members.count).contains(number) else {
                throw wrong("it asks for something else than all, any, or 1 to \(members.count) of its members")
            }
            threshold = number
        }
        try define(words[0], as: .group(policy.groups.count))
        policy.groups.append(TrustPolicy.Group(threshold: threshold, members: members))
    }

    private mutating func quorum(_ words: [[UInt8]]) throws(TransparencyError) {
        guard words.count == 1 else { throw wrong("it is not: quorum NAME") }
        guard !hasQuorum else { throw wrong("there is a quorum already") }
        hasQuorum = true
        if words[0] == Self.none { return }
        guard let member = names[words[0]] else { throw wrong("it names nobody that is defined above") }
        policy.quorum = member
    }

    private mutating func define(_ name: [UInt8], as member: TrustPolicy.Member) throws(TransparencyError) {
        guard name != Self.none else { throw wrong("the name none is taken: it stands for no witness") }
        guard names.updateValue(member, forKey: name) == nil else { throw wrong("its name is defined above") }
    }

    private func key(
        _ word: [UInt8], of type: SignatureType, _ whose: String
    ) throws(TransparencyError) -> VerifierKey {
        guard let text = String(validating: word, as: UTF8.self) else { throw wrong("its key is no UTF-8") }
        let key: VerifierKey
        do throws(TransparencyError) {
            key = try VerifierKey(text)
        } catch {
            throw TransparencyError(error.kind, "line \(line) of the policy: \(error.message)")
        }
        guard key.type == type else { throw wrong("the key is not of the type of \(whose), which is \(type.rawValue)") }
        return key
    }

    private func text(_ word: [UInt8]) -> String { String(decoding: word, as: UTF8.self) }

    private func tooMany(_ what: String) -> TransparencyError {
        TransparencyError(.tooLarge, "line \(line) of the policy: more than \(TrustPolicy.maximumMembers) \(what)")
    }
}
