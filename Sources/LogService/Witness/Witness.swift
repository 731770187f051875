package import EventStore
package import TransparencyLog

/// A witness (C2SP tlog-witness): signs the checkpoints of logs that it knows, as long as each goes on from the one
/// before.
package struct Witness: Sendable {
    private let logs: [VerifierKey]
    private let key: SigningKey
    private let store: any WitnessStore
    private let now: @Sendable () -> Timestamp

    /// - Parameter logs: the keys of the logs that it knows, each named like its log's origin.
    /// - Parameter key: a key for cosignatures.
    package init(
        logs: [VerifierKey], key: SigningKey, store: any WitnessStore, now: @escaping @Sendable () -> Timestamp
    ) {
        (self.logs, self.key, self.store, self.now) = (logs, key, store, now)
    }

    /// Answers a request to sign a checkpoint (C2SP tlog-witness, "add-checkpoint").
    ///
    /// - Parameter body: the body of the request as it came.
    /// - Throws: `unavailable` or `corrupt`: nothing was signed.
    package func add(_ body: [UInt8]) async throws(EventStoreError) -> AddCheckpointAnswer {
        guard let request = try? AddCheckpointRequest(body), let checkpoint = try? Checkpoint(text: request.note.text)
        else { return .badRequest }
        guard logs.contains(where: checkpoint.belongs) else { return .unknownOrigin }
        let log = Self.digest(of: checkpoint.origin)
        // A request that is refused anyway takes no turn of the writer.
        if case .answer(let answer) = try decide(request, after: try await store.note(of: log)) { return answer }
        return try await store.step(log) { last throws(EventStoreError) in
            switch try decide(request, after: last) {
            case .answer(let answer): return WitnessStep(answer)
            case .sign(let checkpoint): return try sign(checkpoint)
            }
        }
    }

    /// The checkpoint of a log that was signed last, with the log's signatures and the witness' own (C2SP tlog-witness,
    /// "Monitor Retrieval Mechanism").
    ///
    /// - Parameter name: the digest of the origin in 64 digits of lowercase hexadecimal.
    /// - Returns: nil where the witness has signed none.
    package func checkpoint(_ name: some StringProtocol) async throws(EventStoreError) -> [UInt8]? {
        guard let log = logs.first(where: { Self.name(of: $0.name).elementsEqual(name.utf8) }) else { return nil }
        return try await store.note(of: Self.digest(of: log.name))
    }

    /// What a log's checkpoint is found by.
    private static func digest(of origin: String) -> Hash { Hash(of: Array(origin.utf8)) }

    /// The same in lowercase hexadecimal.
    private static func name(of origin: String) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return digest(of: origin).bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    }

    private func decide(
        _ request: AddCheckpointRequest, after note: [UInt8]?
    ) throws(EventStoreError) -> WitnessRule.Decision {
        var last: WitnessRule.Last?
        if let note {
            do throws(TransparencyError) {
                let checkpoint = try Checkpoint(text: try SignedNote(note).text)
                last = WitnessRule.Last(size: checkpoint.size, root: checkpoint.root)
            } catch {
                throw EventStoreError(
                    .corrupt, message: "what the witness keeps of a log is no checkpoint: \(error.message)")
            }
        }
        return WitnessRule.decide(request, keys: logs) { _ in last }
    }

    private func sign(_ signed: SignedCheckpoint) throws(EventStoreError) -> WitnessStep {
        do {
            let text = signed.note.text
            // C2SP tlog-witness, "add-checkpoint": the time is never zero.
            let signature = try key.sign(text, time: max(now().milliseconds / 1000, 1))
            // Of the signatures that came with it only those are kept that were checked.
            let note = try SignedNote(text: text, signatures: signed.signatures.map(\.signature) + [signature])
            return WitnessStep(
                .cosigned([signature]), storing: .init(size: signed.checkpoint.size, note: note.bytes))
        } catch {
            throw EventStoreError(.invalid, message: "the checkpoint can't be signed: look at the witness' key file")
        }
    }
}
