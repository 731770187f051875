import EventStore
import Projections

/// How far a replay with a name has come: the checkpoint of a consumer whose number stands for what is sent where.
struct ReplayMark {
    private let name: ConsumerName
    private let views: any ConsumerStore & ConsumerControl
    private(set) var position: Int

    /// - Parameter meaning: what is sent where. It may name a person, so the number comes of it under a secret.
    /// - Throws: a refusal when the name stands for something else already.
    init(_ name: String, meaning: String, _ ledger: Ledger) async throws {
        let digest = Hash.authentication(of: Array(meaning.utf8), key: ledger.secrets.secret(for: "replay"))
        let number = digest.bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        let own = ConsumerName("replay-\(name)", number: number)
        let others = try await ledger.views.names().filter { $0.name == own.name && $0 != own }
        if let other = others.first {
            throw Refusal(
                """
                --resume \(name) was begun with other filters or to another target: take another name, or forget how \
                far that came with `ledger projections remove \(other)`
                """)
        }
        (self.name, views) = (own, ledger.views)
        position = try await views.checkpoint(of: own)
    }

    /// - Throws: a refusal when another run has moved it.
    func requireUnmoved() async throws {
        guard try await views.checkpoint(of: name) == position else { throw moved }
    }

    /// Remembers how far the run has come.
    ///
    /// - Throws: as `requireUnmoved`.
    mutating func move(to next: Int) async throws {
        guard next > position else { return }
        guard try await views.commit(ProjectionCommit(checkpoint: next), of: name, expecting: position) else {
            throw moved
        }
        position = next
    }

    private var moved: Refusal {
        Refusal("another run of \(name.name) goes on at the same time, and this one has stopped at \(position)")
    }
}
