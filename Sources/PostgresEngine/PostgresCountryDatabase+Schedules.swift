package import Appointments
package import EventStore
import Handlers

/// Adding slots.
extension PostgresCountryDatabase {
    /// Adds slots of countries that share one database; all or none.
    ///
    /// - Throws: as `CountryDatabase.add`.
    package static func add(
        _ slots: [(country: Country, slot: Slot)], to pool: PostgresPool
    ) async throws(EventStoreError) {
        if slots.isEmpty { return }
        try await pool.contending { session in
            var book = try ScheduleBook(slots, in: session)
            let changed = try slots.filter { try book.add($0.slot, of: $0.country) }
            try addReferences(changed, in: session)
            // One at a time and in the given order, as the book has checked them.
            for start in stride(from: 0, to: changed.count, by: 500) {
                try session.pipeline(changed[start..<min(start + 500, changed.count)].map(upsert))
            }
        }
    }

    private static func upsert(_ country: Country, _ slot: Slot) -> PostgresStatement {
        PostgresStatement(
            """
            INSERT INTO clinical.schedules (schedule, country, center, specialty, medic, date)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (schedule) DO UPDATE SET center = excluded.center, specialty = excluded.specialty,
                medic = excluded.medic, date = excluded.date
            """,
            [
                .int8(Int(slot.schedule.number)), .text(country.code), .int8(Int(slot.center)),
                .int8(Int(slot.specialty)), .int8(Int(slot.medic)), .moment(slot.date),
            ])
    }

    private static func addReferences(_ slots: [(country: Country, slot: Slot)], in session: PostgresSession) throws {
        let references: [(table: String, column: String, number: (Slot) -> Int64)] = [
            ("centers", "center", { $0.center }), ("specialties", "specialty", { $0.specialty }),
            ("medics", "medic", { $0.medic }),
        ]
        for (table, column, number) in references {
            // In order, so that two who add the same do not wait for each other.
            try session.execute(
                """
                INSERT INTO clinical.\(table) (country, \(column))
                SELECT DISTINCT * FROM unnest($1::text[], $2::int8[]) ORDER BY 1, 2 ON CONFLICT DO NOTHING
                """,
                [
                    .array(slots.map { .text($0.country.code) }),
                    .array(slots.map { .int8(Int(number($0.slot))) }),
                ])
        }
    }
}

/// What the database lists of some slots and of their places, and the rules of adding to it.
private struct ScheduleBook {
    /// Where and when a medic works: listed once.
    private struct Place: Hashable {
        let country: Country
        let center: Int64
        let medic: Int64
        let date: Timestamp

        init(_ country: Country, _ slot: Slot) {
            (self.country, center, medic, date) = (country, slot.center, slot.medic, slot.date)
        }
    }

    private var listed: [ScheduleID: (country: Country, slot: Slot)] = [:]
    private var places: [Place: ScheduleID] = [:]
    private var held: Set<ScheduleID> = []

    /// Reads, and locks the rows of these slots.
    init(_ slots: [(country: Country, slot: Slot)], in session: PostgresSession) throws {
        let numbers = PostgresValue.array(slots.map { .int8(Int($0.slot.schedule.number)) })
        let locked = """
            SELECT \(PostgresCountryDatabase.columns), slot.country FROM clinical.schedules AS slot
            WHERE schedule = ANY ($1::int8[]) ORDER BY schedule FOR UPDATE
            """
        let there = """
            SELECT \(PostgresCountryDatabase.columns), slot.country FROM clinical.schedules AS slot
            JOIN unnest($1::text[], $2::int8[], $3::int8[], $4::timestamptz[]) AS place (country, center, medic, date)
                USING (country, center, medic, date)
            """
        let twins: [PostgresValue] = [
            .array(slots.map { .text($0.country.code) }), .array(slots.map { .int8(Int($0.slot.center)) }),
            .array(slots.map { .int8(Int($0.slot.medic)) }), .array(slots.map { .moment($0.slot.date) }),
        ]
        for row in try session.query(locked, [numbers], Self.listing) + session.query(there, twins, Self.listing) {
            list(row.slot, of: row.country)
        }
        for country in Set(slots.map(\.country)).sorted(by: { $0.code < $1.code }) {
            held.formUnion(
                try session.query(
                    """
                    SELECT schedule FROM \(PostgresCountryDatabase.claims(of: country))
                    WHERE schedule = ANY ($1::int8[]) AND released IS NULL
                    """, [numbers]
                ) { try PostgresCountryDatabase.schedule($0, 0) })
        }
    }

    private static func listing(_ row: PostgresRow) throws -> (country: Country, slot: Slot) {
        guard let country = Country(rawValue: try row.text(5)) else {
            throw EventStoreError(.corrupt, message: "a schedule of the database is of an unknown country")
        }
        return (country, try PostgresCountryDatabase.slot(row))
    }

    private mutating func list(_ slot: Slot, of country: Country) {
        if let old = listed[slot.schedule] { places[Place(old.country, old.slot)] = nil }
        listed[slot.schedule] = (country, slot)
        places[Place(country, slot)] = slot.schedule
    }

    /// Takes a slot in; false when it is listed so already.
    ///
    /// - Throws: the refusal.
    mutating func add(_ slot: Slot, of country: Country) throws(EventStoreError) -> Bool {
        let old = listed[slot.schedule]
        if let old, old.country != country { throw .slotIsElsewhere(slot.schedule) }
        if old?.slot == slot { return false }
        if held.contains(slot.schedule) { throw .slotIsHeld(slot.schedule) }
        if let twin = places[Place(country, slot)], twin != slot.schedule {
            throw .slotIsListed(slot.schedule, as: twin)
        }
        list(slot, of: country)
        return true
    }
}
