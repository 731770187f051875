package import EventStore
import Synchronization
import TransparencyLog

/// The witnesses of a log. Signing and requests never wait for one: each is asked by a task of its own, and what it
/// has signed is added to the checkpoint that is served from then on.
package final class Witnesses: Sendable {
    package let clients: [WitnessClient]
    /// The size that each has signed last; nil until it has signed something that this process has asked for.
    private let known: Mutex<[Int?]>

    /// How often a signature is added anew because the checkpoint got another one in between.
    private static let tries = 8

    package init(_ clients: [WitnessClient]) {
        self.clients = clients
        known = Mutex(clients.map { _ in nil })
    }

    /// Asks one witness for its signature on the last checkpoint, unless it stands there already, and adds it.
    ///
    /// The first checkpoint that a process sees is asked for in any case: a ledger that was put back has its older
    /// checkpoint with all signatures, and only the witness knows that there was a newer one.
    ///
    /// - Parameter place: which of `clients`. One witness is asked by one task at a time.
    /// - Returns: how it went; nil where there was nothing to ask for.
    /// - Throws: `unavailable` or `corrupt` when the log's own checkpoint can't be read or stored.
    package func collect(
        _ place: Int, from checkpointer: Checkpointer
    ) async throws(EventStoreError) -> WitnessClient.Outcome? {
        let client = clients[place]
        guard let checkpoint = try await Self.last(checkpointer) else { return nil }
        let (before, isSigned) = (known.withLock { $0[place] }, checkpoint.note.isSigned(by: client.key))
        if before != nil, isSigned { return nil }
        var size = before ?? 0
        let outcome = await client.ask(for: checkpoint, known: &size, tree: checkpointer.tree)
        guard case .cosigned(let signature) = outcome else {
            known.withLock { $0[place] = nil }
            return outcome
        }
        known.withLock { [size] in $0[place] = size }
        if isSigned { return outcome }
        var last: SignedCheckpoint? = checkpoint
        for _ in 0..<Self.tries {
            // A newer checkpoint takes no signatures of an older one: it is asked for next.
            guard let note = last?.note, note.text.utf8.elementsEqual(checkpoint.note.text.utf8) else { break }
            if try await checkpointer.add([signature], to: note) { break }
            last = try await Self.last(checkpointer)
        }
        return outcome
    }

    private static func last(_ checkpointer: Checkpointer) async throws(EventStoreError) -> SignedCheckpoint? {
        guard let bytes = try await checkpointer.store.last() else { return nil }
        do throws(TransparencyError) {
            return try SignedCheckpoint(try SignedNote(bytes), by: [checkpointer.signer.key])
        } catch {
            throw EventStoreError(.corrupt, message: "the last checkpoint can't be believed: \(error.message)")
        }
    }
}

extension SignedNote {
    /// Whether a key's signature stands under it, and is right.
    fileprivate func isSigned(by key: VerifierKey) -> Bool { (try? verified(by: [key])) != nil }
}
