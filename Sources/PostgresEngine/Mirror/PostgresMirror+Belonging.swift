package import EventStore
package import Projections
import TransparencyLog

extension PostgresMirror {
    package func claim(
        for owner: LedgerIdentity, expecting state: MirrorState
    ) async throws(EventStoreError) -> Bool {
        try await pool.transaction { session in
            guard try Self.state(in: session, locked: true) == state else { return false }
            try owner.requireSameLedger(as: state.owner)
            try Self.write(owner, in: session)
            return true
        }
    }

    package func rewind(
        to position: Int, for owner: LedgerIdentity?, expecting state: MirrorState
    ) async throws(EventStoreError) -> Int? {
        try await mending { session in
            guard try Self.state(in: session, locked: true) == state else { return nil }
            try owner?.requireSameLedger(as: state.owner)
            try session.limitStatements(toMilliseconds: 0)
            var count = 0
            try Self.asOwner(session) {
                let tree = try Self.cutTree(to: min(position, state.position), in: session)
                count = try session.row("SELECT ledger.set_aside_behind($1)", [.int8(position)]) { try $0.int(0) } ?? 0
                try Self.deleting(session) {
                    try session.execute("DELETE FROM ledger.entries WHERE position > $1", [.int8(position)])
                }
                try Self.movingBack(session) {
                    try session.execute(
                        "UPDATE ledger.head SET position = $1, checkpoint = $1, moved = clock_timestamp(), tree = $2",
                        [.int8(position), .bytes(tree.bytes)])
                }
            }
            if let owner { try Self.write(owner, in: session) }
            return count
        }
    }

    private static func write(_ owner: LedgerIdentity, in session: PostgresSession) throws {
        try session.execute(
            "UPDATE ledger.head SET ledger = $1, epoch = $2", [.uuid(owner.id), .int8(owner.epoch)])
    }
}
