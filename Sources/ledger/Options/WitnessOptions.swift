import ArgumentParser
import TransparencyLog

/// Which witnesses sign the ledger's checkpoints.
struct WitnessOptions: ParsableArguments {
    @Option(help: "The address of a witness that signs the checkpoints; repeat it for others, each with its key.")
    var witness: [String] = []
    @Option(help: "The verifier key of the witness, as `ledger witness key` prints it.")
    var witnessKey: [String] = []
    @Option(help: "A file with a line `witness NAME KEY URL` for each witness, instead of these (C2SP tlog-policy).")
    var policy: String?

    /// A witness, and where it takes checkpoints.
    struct Address: Sendable {
        let key: VerifierKey
        let url: String
    }

    func validate() throws {
        guard witness.count == witnessKey.count else {
            throw ValidationError("each --witness has its --witness-key, in the same order")
        }
        guard policy == nil || witness.isEmpty else { throw ValidationError("take --policy or --witness, not both") }
        for (url, key) in zip(witness, witnessKey) { _ = try Self.address(url, key) }
    }

    /// The witnesses.
    ///
    /// - Throws: a refusal where the policy can't be read, or names none with an address.
    func addresses() throws -> [Address] {
        guard let policy else { return try zip(witness, witnessKey).map(Self.address) }
        let named = try TrustPolicy.read(policy).witnesses.compactMap { witness in
            try witness.url.map { try Self.address($0, "\(witness.key)") }
        }
        guard !named.isEmpty else { throw Refusal("\(policy) has no line: witness NAME KEY URL") }
        return named
    }

    private static func address(_ url: String, _ key: String) throws -> Address {
        guard HTTPTarget.Address(url) != nil else {
            throw ValidationError("--witness '\(url)' is no address: write http:// or https://, a host and a path")
        }
        do throws(TransparencyError) {
            let key = try VerifierKey(key)
            guard key.type == .cosignature else {
                throw TransparencyError(.unsupported, "\(key.name) is not the key of a witness")
            }
            return Address(key: key, url: url)
        } catch {
            throw ValidationError("--witness-key: \(error.message)")
        }
    }
}
