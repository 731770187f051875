package import Appointments
package import EventStore
import Synchronization

/// The clinical database of one country in PostgreSQL: its slots, and who holds them.
///
/// A wait for a lock ends after a second and a half as `unavailable`.
///
/// Claims lock the appointment, the person and then the slot, so that races are decided without a statement that fails.
/// The rules hold by constraint even for a writer that does not.
package final class PostgresCountryDatabase: CountryDatabase {
    let pool: PostgresPool
    let country: Country
    let claims: String
    private let refusals: String
    let owner: CountryOwner?
    /// Whether the database was seen to be the owner's.
    let isOurs = Atomic<Bool>(false)

    /// - Parameter owner: the ledger whose claims it has to hold; without it that goes unasked.
    package init(_ pool: PostgresPool, _ country: Country, owner: CountryOwner? = nil) {
        (self.pool, self.country, self.owner) = (pool, country, owner)
        claims = Self.claims(of: country)
        refusals = "clinical.refusals_\(country.code.lowercased())"
    }

    package func claim(_ claim: SlotClaim) async throws(EventStoreError) -> ClaimResult {
        try await requireOwner()
        return try await waitingForRights { () async throws(EventStoreError) in
            try await pool.contending { [self] session in try self.claim(claim, in: session) }
        }
    }

    package func release(_ appointment: AppointmentID, at now: Timestamp) async throws(EventStoreError) {
        try await requireOwner()
        try await waitingForRights { () async throws(EventStoreError) in try await self.release(appointment, now) }
    }

    private func release(_ appointment: AppointmentID, _ now: Timestamp) async throws(EventStoreError) {
        try await pool.transaction { [self] session in
            try requireOwner(in: session)
            // After a claim of the same appointment that is under way, or before it.
            try session.pipeline([Self.boundedWait, Self.lock(appointment)]) { _, _ in }
            _ = try session.execute(
                "UPDATE \(claims) SET released = $1 WHERE appointment = $2 AND released IS NULL",
                [.moment(now), .uuid(appointment.id)])
            try refuse(appointment, .processingExhausted, at: now, in: session)
        }
    }

    package func add(_ slots: [Slot]) async throws(EventStoreError) {
        try await requireOwner()
        try await Self.add(slots.map { (country, $0) }, to: pool)
    }

    package func schedules(
        after schedule: ScheduleID?, limit: Int
    ) async throws(EventStoreError) -> [ScheduleRow] {
        try await requireReading()
        return try await pool.use { [country] session in
            try session.query(
                Self.page(of: country),
                [.text(country.code), .int8(Int(schedule?.number ?? 0)), .int8(max(limit, 0))]
            ) { row in
                ScheduleRow(
                    slot: try Self.slot(row), country: country,
                    holder: try row.ifPresent(5, row.uuid).map(AppointmentID.init))
            }
        }
    }
}

// MARK: - Rights

extension PostgresCountryDatabase {
    /// A role that may not write here is a mistake of the configuration, and no message's: messages wait, as in an
    /// outage, until somebody mends it.
    private func waitingForRights<Value>(
        _ body: () async throws(EventStoreError) -> Value
    ) async throws(EventStoreError) -> Value {
        do throws(EventStoreError) {
            return try await body()
        } catch {
            guard error.postgres?.sqlState == "42501" else { throw error }
            let code = country.code
            throw EventStoreError(
                .unavailable,
                message:
                    "the role that the program logs in as may not write the slots of \(code) in their database: name "
                    + "one that may, such as ledger_\(code.lowercased()), in RDS_USERNAME_\(code) or RDS_URL_\(code)",
                cause: error.cause)
        }
    }
}

// MARK: - Within a transaction

extension PostgresCountryDatabase {
    static let columns = "slot.schedule, slot.center, slot.specialty, slot.medic, slot.date"

    /// The query for a page of slots: country, the slot before it, how many.
    package static func page(of country: Country) -> String {
        """
        SELECT \(columns), claim.appointment FROM clinical.schedules AS slot LEFT JOIN \(claims(of: country)) AS claim
            ON claim.schedule = slot.schedule AND claim.released IS NULL
        WHERE slot.country = $1 AND slot.schedule > $2 ORDER BY slot.schedule LIMIT $3
        """
    }

    /// The table of those who hold the slots of a country.
    static func claims(of country: Country) -> String { "clinical.appointments_\(country.code.lowercased())" }

    static func slot(_ row: PostgresRow) throws -> Slot {
        Slot(
            schedule: try schedule(row, 0), center: Int64(try row.int(1)), specialty: Int64(try row.int(2)),
            medic: Int64(try row.int(3)), date: try row.moment(4))
    }

    static func schedule(_ row: PostgresRow, _ column: Int) throws -> ScheduleID {
        guard let schedule = ScheduleID(Int64(try row.int(column))) else {
            throw EventStoreError(.corrupt, message: "a schedule of the database is outside the bounds of a scheduleId")
        }
        return schedule
    }

    private func claim(_ claim: SlotClaim, in session: PostgresSession) throws -> ClaimResult {
        var refused: FailureReason?
        var slot: Slot?
        var holder: AppointmentID?
        var others: [Slot] = []
        try session.pipeline(reads(for: claim)) { index, row in
            switch index {
            case 3: slot = try Self.slot(row)
            case 4: holder = AppointmentID(try row.uuid(0))
            case 6: refused = try Self.reason(row)
            case 5: others.append(try Self.slot(row))
            case 7: try requireOwner(try Self.owner(row))
            default: break
            }
        }
        let result = claim.decide(refused: refused, on: slot, heldBy: holder, others: others)
        if case .refused(let reason) = result, refused == nil {
            try refuse(claim.appointment, reason, at: claim.now, in: session)
        }
        guard case .held(let slot) = result, holder != claim.appointment else { return result }
        try session.execute(
            """
            INSERT INTO \(claims) (appointment, schedule, subject, date, ends, claimed) VALUES ($1, $2, $3, $4, $5, $6)
            """,
            [
                .uuid(claim.appointment.id), .int8(Int(claim.schedule.number)), .uuid(claim.subject),
                .moment(slot.date), .moment(slot.end), .moment(claim.now),
            ])
        return result
    }

    /// What a claim locks and reads, with one wait for all. Each statement sees what was committed before it began, and
    /// so what was written while the one before it waited for its lock.
    private func reads(for claim: SlotClaim) -> [PostgresStatement] {
        [
            Self.boundedWait, Self.lock(claim.appointment),
            Self.lock(person: claim.subject),
            PostgresStatement(
                """
                SELECT \(Self.columns) FROM clinical.schedules AS slot WHERE schedule = $1 AND country = $2
                FOR NO KEY UPDATE
                """, [.int8(Int(claim.schedule.number)), .text(country.code)]),
            PostgresStatement(
                "SELECT appointment FROM \(claims) WHERE schedule = $1 AND released IS NULL",
                [.int8(Int(claim.schedule.number))]),
            PostgresStatement(
                """
                SELECT \(Self.columns) FROM \(claims) AS claim JOIN clinical.schedules AS slot
                    ON slot.schedule = claim.schedule WHERE claim.subject = $1 AND claim.released IS NULL
                """, [.uuid(claim.subject)]),
            // A slot that an older program gave back has no refusal with it.
            PostgresStatement(
                """
                SELECT reason FROM \(refusals) WHERE appointment = $1
                UNION ALL SELECT 'PROCESSING_EXHAUSTED' FROM \(claims) WHERE appointment = $1 AND released IS NOT NULL
                    AND NOT EXISTS (SELECT FROM \(refusals) WHERE appointment = $1)
                """, [.uuid(claim.appointment.id)]),
            PostgresStatement(Self.ownerQuery(country)),
        ]
    }

    /// Ends a wait for a lock soon, for this transaction: whoever holds a row for long keeps its slot from one message,
    /// which comes again, and no session from the others.
    static let boundedWait = PostgresStatement("SELECT set_config('lock_timeout', '1500ms', true)")

    /// Has claims and returns of one appointment wait for each other. These locks are none of those of persons.
    static func lock(_ appointment: AppointmentID) -> PostgresStatement {
        PostgresStatement(
            "SELECT pg_advisory_xact_lock(1, $1)",
            [.int4(Int(Int32(truncatingIfNeeded: appointment.id.high ^ appointment.id.low)))])
    }

    /// Has claims of one person wait for each other.
    static func lock(person: Identifier) -> PostgresStatement {
        PostgresStatement(
            "SELECT pg_advisory_xact_lock($1)", [.int8(Int(truncatingIfNeeded: person.high ^ person.low))])
    }

    private static func reason(_ row: PostgresRow) throws -> FailureReason {
        guard let reason = FailureReason(rawValue: try row.text(0)) else {
            throw EventStoreError(.corrupt, message: "a refusal of the database has a reason that is none")
        }
        return reason
    }

    /// Refuses an appointment for ever; the first reason stands.
    private func refuse(
        _ appointment: AppointmentID, _ reason: FailureReason, at now: Timestamp, in session: PostgresSession
    ) throws {
        _ = try session.execute(
            "INSERT INTO \(refusals) (appointment, reason, refused) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            [.uuid(appointment.id), .text(reason.rawValue), .moment(now)])
    }
}

extension PostgresPool {
    /// Runs a transaction, and again when a constraint refused it: somebody wrote meanwhile without taking its locks,
    /// and the next run sees what.
    func contending<Value: Sendable>(
        _ body: @escaping @Sendable (PostgresSession) throws -> Value
    ) async throws(EventStoreError) -> Value {
        var round = 1
        while true {
            do throws(EventStoreError) {
                return try await transaction(body)
            } catch {
                guard ["23505", "23P01", "23503"].contains(error.postgres?.sqlState), round < 3 else { throw error }
                round += 1
            }
        }
    }
}
