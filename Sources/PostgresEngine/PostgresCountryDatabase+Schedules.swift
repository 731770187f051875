package import Appointments
package import EventStore

/// Adding slots.
extension PostgresCountryDatabase {
    /// The most slots that one statement writes.
    private static let pieceSlots = 5000
    /// How long one statement of an import may take.
    private static let statementMilliseconds = 600_000

    /// Adds slots of countries that share one database; all or none.
    ///
    /// Imports wait for each other. Everything is read and judged first, then new slots are written, and those that
    /// change at the end, so that they are locked for as short as can be.
    /// - Throws: as `CountryDatabase.add`.
    package static func add(
        _ slots: [CountrySlot], to pool: PostgresPool, admission: SlotAdmission = SlotAdmission()
    ) async throws(EventStoreError) {
        if slots.isEmpty { return }
        try await pool.contending { session in
            try session.limitStatements(toMilliseconds: statementMilliseconds)
            try session.execute("SET CONSTRAINTS clinical.schedules_are_listed_once, clinical.schedules_medic DEFERRED")
            _ = try session.query("SELECT pg_advisory_xact_lock(2, 1)") { _ in }
            let changes = try agenda(around: slots, in: session)
                .changes(adding: slots, bookableFrom: admission.bookableFrom)
            if admission.checksOnly { return }
            try addReferences(changes, in: session)
            var done = 0
            for (isNew, write) in [(true, insert), (false, replace)] {
                let part = changes.filter { $0.isNew == isNew }.sorted { $0.slot.schedule < $1.slot.schedule }
                for start in stride(from: 0, to: part.count, by: pieceSlots) {
                    let piece = part[start..<min(start + pieceSlots, part.count)]
                    try write(Array(piece), session)
                    done += piece.count
                    admission.progress(done, changes.count)
                }
            }
        }
    }

    /// What is listed under the ids of some slots, and the slots of their medics at that time.
    private static func agenda(around slots: [CountrySlot], in session: PostgresSession) throws -> Agenda {
        var agenda = Agenda()
        for start in stride(from: 0, to: slots.count, by: pieceSlots) {
            let piece = slots[start..<min(start + pieceSlots, slots.count)]
            let numbers = PostgresValue.array(piece.map { .int8(Int($0.slot.schedule.number)) })
            let listed = """
                SELECT \(columns), slot.country FROM clinical.schedules AS slot WHERE schedule = ANY ($1::int8[])
                """
            for (slot, country) in try session.query(listed, [numbers], listing) { agenda.list(slot, of: country) }
            for country in Country.allCases {
                let held = """
                    SELECT schedule FROM \(claims(of: country))
                    WHERE schedule = ANY ($1::int8[]) AND released IS NULL
                    """
                for id in try session.query(held, [numbers], { try schedule($0, 0) }) { agenda.hold(id) }
            }
        }
        let dates = slots.map(\.slot.date)
        guard let first = dates.min(), let last = dates.max() else { return agenda }
        let reach = Int64(Country.slotMinutes) * 60_000
        let beside = """
            SELECT \(columns), slot.country FROM clinical.schedules AS slot
            WHERE (country, medic) IN (SELECT DISTINCT * FROM unnest($1::text[], $2::int8[]))
                AND date > $3 AND date < $4
            """
        let medics = Set(slots.map { "\($0.country.code) \($0.slot.medic)" })
        var seen = medics
        let distinct = slots.filter { seen.remove("\($0.country.code) \($0.slot.medic)") != nil }
        let neighbours = try session.query(
            beside,
            [
                .array(distinct.map { .text($0.country.code) }), .array(distinct.map { .int8(Int($0.slot.medic)) }),
                .moment(first.adding(milliseconds: -reach)), .moment(last.adding(milliseconds: reach)),
            ], listing)
        for (slot, country) in neighbours { agenda.list(slot, of: country) }
        return agenda
    }

    private static func listing(_ row: PostgresRow) throws -> (Slot, Country) {
        guard let country = Country(rawValue: try row.text(5)) else {
            throw EventStoreError(.corrupt, message: "a schedule of the database is of an unknown country")
        }
        return (try slot(row), country)
    }

    private static let given = """
        unnest($1::int8[], $2::text[], $3::int8[], $4::int8[], $5::int8[], $6::timestamptz[])
            AS given (schedule, country, center, specialty, medic, date)
        """

    private static func values(_ changes: [Agenda.Change]) -> [PostgresValue] {
        [
            .array(changes.map { .int8(Int($0.slot.schedule.number)) }),
            .array(changes.map { .text($0.country.code) }), .array(changes.map { .int8(Int($0.slot.center)) }),
            .array(changes.map { .int8(Int($0.slot.specialty)) }), .array(changes.map { .int8(Int($0.slot.medic)) }),
            .array(changes.map { .moment($0.slot.date) }),
        ]
    }

    private static func insert(_ changes: [Agenda.Change], in session: PostgresSession) throws {
        try session.execute(
            """
            INSERT INTO clinical.schedules (schedule, country, center, specialty, medic, date)
            SELECT schedule, country, center, specialty, medic, date FROM \(given)
            """, values(changes))
    }

    /// Replaces slots, unless one of them is held by now.
    private static func replace(_ changes: [Agenda.Change], in session: PostgresSession) throws {
        let numbers = PostgresValue.array(changes.map { .int8(Int($0.slot.schedule.number)) })
        _ = try session.query(
            "SELECT 1 FROM clinical.schedules WHERE schedule = ANY ($1::int8[]) ORDER BY schedule FOR UPDATE", [numbers]
        ) { _ in }
        var held: [ScheduleID] = []
        for country in Set(changes.map(\.country)) {
            held += try session.query(
                "SELECT schedule FROM \(claims(of: country)) WHERE schedule = ANY ($1::int8[]) AND released IS NULL",
                [numbers]
            ) { try schedule($0, 0) }
        }
        if let refusals = SlotRefusals(held.sorted().map { SlotRefusal($0, .held) }) { throw EventStoreError(refusals) }
        try session.execute(
            """
            UPDATE clinical.schedules AS slot SET center = given.center, specialty = given.specialty,
                medic = given.medic, date = given.date
            FROM \(given) WHERE slot.schedule = given.schedule
            """, values(changes))
    }

    private static func addReferences(_ changes: [Agenda.Change], in session: PostgresSession) throws {
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
                    .array(changes.map { .text($0.country.code) }),
                    .array(changes.map { .int8(Int(number($0.slot))) }),
                ])
        }
    }
}
