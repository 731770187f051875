package import Appointments
package import EventStore
import Synchronization

/// The ledger whose claims a country's database has to hold.
package struct CountryOwner: Sendable {
    package let identity: LedgerIdentity
    /// Whether the ledger knows some appointments.
    let knows: @Sendable ([AppointmentID]) async throws(EventStoreError) -> Bool
    /// Whether slots are listed only where claims are made: else those of another epoch may be looked at.
    package var isStrict = false

    package init(
        identity: LedgerIdentity, knows: @escaping @Sendable ([AppointmentID]) async throws(EventStoreError) -> Bool
    ) {
        (self.identity, self.knows) = (identity, knows)
    }

    /// - Parameter store: the ledger's streams, where its appointments are looked up.
    package init(_ identity: LedgerIdentity, store: any StreamReader) {
        self.init(identity: identity) { appointments throws(EventStoreError) in
            for appointment in appointments {
                if try await store.read(appointment.stream).isEmpty { return false }
            }
            return true
        }
    }
}

/// A country's database is of another past of its ledger: one of the two was put back to an older copy.
package struct OtherPast: Error, CustomStringConvertible {
    package var description: String { "another past" }
}

extension PostgresCountryDatabase {
    /// What a database says of whose it is.
    package struct Belonging: Sendable {
        /// Nil while it belongs to no ledger.
        package let owner: LedgerIdentity?
        /// The last claim that an operator has looked at.
        let acknowledged: AppointmentID?
        /// The first and the last appointment that claimed a slot.
        let claims: [AppointmentID]
    }

    /// How the database stands to the ledger.
    package enum Standing: String, Sendable {
        case following
        case unclaimed
        case otherLedger = "other-ledger"
        case otherEpoch = "other-epoch"
        /// The ledger does not know the appointment that claimed last.
        case ahead
    }

    /// What the database says of whose it is.
    package func belonging() async throws(EventStoreError) -> Belonging {
        let (claims, table) = (Self.claims(of: country), Self.ownerTable(country))
        return try await pool.use { session in
            let edges = try session.query(
                """
                (SELECT appointment FROM \(claims) ORDER BY claimed, appointment LIMIT 1)
                UNION ALL (SELECT appointment FROM \(claims) ORDER BY claimed DESC, appointment DESC LIMIT 1)
                """
            ) { AppointmentID(try $0.uuid(0)) }
            let row = try session.row("SELECT ledger, epoch, acknowledged FROM \(table)") { row in
                Belonging(
                    owner: try Self.owner(row), acknowledged: try row.ifPresent(2, row.uuid).map(AppointmentID.init),
                    claims: edges)
            }
            return row ?? Belonging(owner: nil, acknowledged: nil, claims: edges)
        }
    }

    /// How the database stands to the ledger, by what it says of itself.
    package func standing(_ found: Belonging) async throws(EventStoreError) -> Standing {
        guard let owner else { return .following }
        guard let held = found.owner else {
            return try await owner.knows(found.claims) ? .unclaimed : .otherLedger
        }
        if held.id != owner.identity.id { return .otherLedger }
        if held != owner.identity { return .otherEpoch }
        let last = found.claims.suffix(1).filter { $0 != found.acknowledged }
        return try await owner.knows(last) ? .following : .ahead
    }

    /// Has the database belong to a ledger and an epoch of it, and takes its last claim for looked at.
    ///
    /// - Returns: false when it belongs to another by now than was read.
    package func adopt(by owner: LedgerIdentity, from found: Belonging) async throws(EventStoreError) -> Bool {
        let table = Self.ownerTable(country)
        return try await pool.transaction { session in
            try session.execute(
                """
                UPDATE \(table) SET ledger = $1, epoch = $2, acknowledged = $5
                WHERE ledger IS NOT DISTINCT FROM $3 AND epoch IS NOT DISTINCT FROM $4
                """,
                [
                    .uuid(owner.id), .int8(owner.epoch), .ifPresent(found.owner) { .uuid($0.id) },
                    .ifPresent(found.owner) { .int8($0.epoch) }, .ifPresent(found.claims.last) { .uuid($0.id) },
                ]) == 1
        }
    }

    /// Has the database belong to the ledger: one that belongs to none is claimed where the ledger knows the first and
    /// the last appointment that claimed a slot.
    ///
    /// - Throws: `invalid` when it is another ledger's, `unavailable` when it is of another past of this one, both with
    ///   what to do.
    package func requireOwner() async throws(EventStoreError) {
        guard let owner, !isOurs.load(ordering: .relaxed) else { return }
        while true {
            let found = try await belonging()
            switch try await standing(found) {
            case .following: return isOurs.store(true, ordering: .relaxed)
            case .unclaimed: _ = try await adopt(by: owner.identity, from: found)
            case .otherLedger: throw otherLedger(found.owner)
            case .otherEpoch: throw otherPast("is of epoch \(found.owner?.epoch ?? 0), and the ledger is not")
            case .ahead: throw otherPast("holds a slot for an appointment that the ledger does not have any more")
            }
        }
    }

    /// Whether slots may be listed from it.
    func requireReading() async throws(EventStoreError) {
        guard let owner, !isOurs.load(ordering: .relaxed) else { return }
        if owner.isStrict { return try await requireOwner() }
        let found = try await belonging()
        if try await standing(found) == .otherLedger { throw otherLedger(found.owner) }
    }

    /// The same within a transaction: it may have become another's since.
    func requireOwner(in session: PostgresSession) throws {
        guard owner != nil else { return }
        try requireOwner(try session.row(Self.ownerQuery(country)) { try Self.owner($0) } ?? nil)
    }

    func requireOwner(_ held: LedgerIdentity?) throws(EventStoreError) {
        guard let ours = owner?.identity, held != ours else { return }
        isOurs.store(false, ordering: .relaxed)
        if held?.id == ours.id { throw otherPast("is of epoch \(held?.epoch ?? 0), and the ledger is not") }
        throw otherLedger(held)
    }

    private func otherLedger(_ held: LedgerIdentity?) -> EventStoreError {
        let whose =
            held.map { "is another ledger's, \($0.id)" } ?? "holds slots for appointments that this one never had"
        return EventStoreError(
            .invalid,
            message: """
                the database of \(country.code) \(whose), and this is \(owner.map { "\($0.identity.id)" } ?? "none"): \
                name this ledger's database, or look with `ledger countries adopt --dry-run`
                """)
    }

    private func otherPast(_ what: String) -> EventStoreError {
        EventStoreError(
            .unavailable,
            message: """
                the database of \(country.code) \(what): one of them was put back to an older copy. Its requests wait; \
                look with `ledger countries status`, then `ledger countries adopt`
                """, cause: OtherPast())
    }

    private static func ownerTable(_ country: Country) -> String { "clinical.ledger_\(country.code.lowercased())" }

    static func ownerQuery(_ country: Country) -> String { "SELECT ledger, epoch FROM \(ownerTable(country))" }

    static func owner(_ row: PostgresRow) throws -> LedgerIdentity? {
        try row.ifPresent(0, row.uuid).map { LedgerIdentity(id: $0, epoch: try row.int(1)) }
    }
}
