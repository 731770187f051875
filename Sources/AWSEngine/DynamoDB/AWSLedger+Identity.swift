package import EventStore
package import Logging
import Synchronization

extension AWSLedger {
    /// Which ledger this is, once its tables were compared with what was seen of it. One that was put back to an older
    /// copy begins a new epoch, and the log says so.
    ///
    /// - Throws: `invalid` when the tables are of two ledgers, with what to do; `unavailable`; `corrupt`.
    package func recognize(_ logger: Logger) async throws(EventStoreError) -> LedgerIdentity {
        let opening = try await identity.open(
            newID: .version4(random: (client.number(), client.number())), now: now())
        if let before = opening.putBackFrom {
            logger.error(
                """
                the ledger was put back to an older copy: a new epoch begins. What is further or of the epoch before, \
                mirror and countries' databases, is not followed or written to before you say which side is right: \
                `ledger mirror status --engine aws`, `ledger countries status --engine aws`
                """,
                metadata: [
                    "ledger": "\(opening.identity.id)", "epoch": "\(opening.identity.epoch)",
                    "seen": "\(before.last.map { "\($0.stream) version \($0.version)" } ?? "nothing")",
                ])
        }
        return opening.identity
    }

    /// Compares the tables anew.
    ///
    /// - Throws: `invalid` when they hold another ledger or epoch by now: what works for the old one has to end.
    package func requireStill(_ identity: LedgerIdentity) async throws(EventStoreError) {
        _ = try await self.identity.requireStill(identity, now: now())
    }
}

/// Notes apart from the events how far they were seen to come, at most once in ten seconds.
package final class SeenNote: Sendable {
    private struct State {
        /// A moment of the client's uptime.
        var noted: Int64?
        /// The latest event that is not noted yet.
        var waiting: RecordedEvent?
    }

    private let ledger: AWSLedger
    private let identity: LedgerIdentity
    private let state = Mutex(State())

    package static let everyMilliseconds: Int64 = 10_000

    package init(_ ledger: AWSLedger, of identity: LedgerIdentity) { (self.ledger, self.identity) = (ledger, identity) }

    /// Compares the tables and notes the latest of some events of the change stream; soon after another time the event
    /// waits for the next one, or for `flush`.
    ///
    /// - Throws: `invalid` when the tables hold another ledger or epoch by now; `unavailable`.
    package func saw(_ events: [RecordedEvent]) async throws(EventStoreError) {
        let moment = ledger.client.uptime()
        let isEarly = state.withLock { state in
            state.waiting = ([state.waiting].compactMap(\.self) + events).max { $0.entry.at < $1.entry.at }
            return state.noted.map { moment - $0 < Self.everyMilliseconds } ?? false
        }
        if !isEarly { try await flush() }
    }

    /// Notes what waits: whoever works on when the stream rests calls this.
    ///
    /// - Throws: as `saw`.
    package func flush() async throws(EventStoreError) {
        guard let event = state.withLock(\.waiting) else { return }
        let moment = ledger.client.uptime()
        try await ledger.identity.note(event, of: identity, now: ledger.now())
        state.withLock { state in
            state.noted = moment
            if state.waiting?.entry.id == event.entry.id { state.waiting = nil }
        }
    }
}
