import Appointments
import EventStore
import Handlers
import PostgresEngine
import TestPostgres
import Testing

/// What a country's tables keep by themselves, whoever writes.
@Suite(.enabled(if: TestCluster.isThere, TestCluster.reason), .dropsDatabases)
struct CountrySchemaTests {
    private static let slots = """
        INSERT INTO clinical.centers (country, center) VALUES ('PE', 1), ('CL', 1);
        INSERT INTO clinical.specialties (country, specialty) VALUES ('PE', 1), ('CL', 1);
        INSERT INTO clinical.medics (country, medic) VALUES ('PE', 1), ('PE', 2), ('CL', 1);
        INSERT INTO clinical.schedules (schedule, country, center, specialty, medic, date) VALUES
            (1, 'PE', 1, 1, 1, '2026-03-02 15:00Z'), (2, 'PE', 1, 1, 1, '2026-03-02 15:30Z'),
            (3, 'PE', 1, 1, 2, '2026-03-02 15:15Z'), (4, 'CL', 1, 1, 1, '2026-03-02 15:00Z');
        """

    /// Holds a slot of Peru for a person, without asking whether it may.
    private static func hold(_ schedule: Int, person: Int, at minute: String) -> String {
        """
        INSERT INTO clinical.appointments_pe (appointment, schedule, subject, date, ends, claimed)
        SELECT gen_random_uuid(), \(schedule), '00000000-0000-0000-0000-00000000000\(person)', date,
            date + interval '30 minutes', now()
        FROM (VALUES ('2026-03-02 15:\(minute)Z'::timestamptz)) AS slot (date);
        """
    }

    private static let held = hold(1, person: 1, at: "00")

    @Test("a writer that asks nobody is refused as well")
    func refused() async throws {
        let attempts: [(sql: String, state: String, constraint: String?)] = [
            // Another holder of the slot; another slot of the person at the same time; another country's slot; a slot
            // that is nobody's; a time that is not the slot's; an appointment of another length.
            (Self.hold(1, person: 2, at: "00"), "23505", "appointments_pe_holder"),
            (Self.hold(3, person: 1, at: "15"), "23P01", "appointments_pe_person"),
            (Self.hold(4, person: 2, at: "00"), "23503", nil), (Self.hold(9, person: 2, at: "00"), "23503", nil),
            (Self.hold(2, person: 2, at: "31"), "23503", nil),
            (
                """
                INSERT INTO clinical.appointments_pe (appointment, schedule, subject, date, ends, claimed)
                VALUES (gen_random_uuid(), 2, gen_random_uuid(), '2026-03-02 15:30Z', '2026-03-02 15:31Z', now())
                """, "23514", "appointments_pe_take_half_an_hour"
            ),
            // A slot that is held moves to another time or country; one that is listed twice; a number out of bounds.
            ("UPDATE clinical.schedules SET date = '2026-03-03 15:00Z' WHERE schedule = 1", "23503", nil),
            ("UPDATE clinical.schedules SET country = 'CL', center = 1, medic = 1 WHERE schedule = 1", "23505", nil),
            ("DELETE FROM clinical.schedules WHERE schedule = 1", "23503", nil),
            (
                """
                INSERT INTO clinical.schedules (schedule, country, center, specialty, medic, date)
                VALUES (5, 'PE', 1, 1, 1, '2026-03-02 15:00Z')
                """, "23505", "schedules_are_listed_once"
            ),
            (
                """
                INSERT INTO clinical.schedules (schedule, country, center, specialty, medic, date)
                VALUES (9007199254740992, 'PE', 1, 1, 1, '2026-03-04 15:00Z')
                """, "23514", nil
            ),
        ]
        let pool = try await TestCluster.database(.country(.peru)).pool
        #expect(try await sqlState(of: Self.slots + Self.held, in: pool) == nil)
        for attempt in attempts {
            let error = await #expect(throws: EventStoreError.self, "\(attempt.sql)") {
                try await pool.use { try $0.run(attempt.sql) }
            }
            #expect(error?.postgres?.sqlState == attempt.state, "\(attempt.sql)")
            if let constraint = attempt.constraint { #expect(error?.postgres?.constraint == constraint) }
        }
    }

    @Test("what touches does not overlap, and what was given back is free")
    func allowed() async throws {
        let pool = try await TestCluster.database(.country(.peru)).pool
        #expect(try await sqlState(of: Self.slots + Self.held + Self.hold(2, person: 1, at: "30"), in: pool) == nil)
        let released = "UPDATE clinical.appointments_pe SET released = now() WHERE schedule = 1;"
        #expect(try await sqlState(of: released + Self.hold(1, person: 2, at: "00"), in: pool) == nil)
        let moved = "UPDATE clinical.schedules SET date = '2026-03-03 15:00Z' WHERE schedule = 1"
        let free = "UPDATE clinical.appointments_pe SET released = now() WHERE released IS NULL;"
        #expect(try await sqlState(of: free + moved, in: pool) == nil)
    }

    @Test("a slot that an older program gave back stays given back")
    func givenBackBefore() async throws {
        let database = try await TestCluster.database(.country(.peru))
        let id = AppointmentID(Identifier(high: 1, low: 2))
        try await database.pool.use {
            try $0.run(Self.slots)
            try $0.run(
                """
                INSERT INTO clinical.appointments_pe (appointment, schedule, subject, date, ends, claimed, released)
                VALUES ('\(id)', 1, gen_random_uuid(), '2026-03-02 15:00Z', '2026-03-02 15:30Z', now(), now())
                """)
        }
        let schedule = try #require(ScheduleID(1))
        let now = try #require(Timestamp("2026-03-01T15:00:00Z"))
        let answer = try await PostgresCountryDatabase(database.pool, .peru).claim(
            SlotClaim(
                appointment: id, schedule: schedule, country: .peru, subject: Identifier(high: 3, low: 4), now: now))
        #expect(answer == .refused(.processingExhausted))
    }

    @Test("a claim that meets a writer without locks is answered as if it had come later")
    func unlocked() async throws {
        let pool = try await TestCluster.database(.country(.peru)).pool
        #expect(try await sqlState(of: Self.slots, in: pool) == nil)
        let claim = SlotClaim(
            appointment: AppointmentID(LedgerRows.id(1)), schedule: try #require(ScheduleID(1)), country: .peru,
            subject: LedgerRows.id(2), now: Timestamp(milliseconds: 1_772_000_000_000))
        // The other one has written and not yet committed: the claim reads that the slot is free, and then waits.
        let (written, signal) = AsyncStream.makeStream(of: Void.self)
        async let other: Void = pool.use { session in
            try session.run("BEGIN; \(Self.held)")
            signal.finish()
            let waiting = "SELECT count(*) FROM pg_locks WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
            while try session.row(waiting, [], { try $0.int(0) }) == 0 { try session.run("SELECT pg_sleep(0.01)") }
            try session.run("COMMIT")
        }
        for await _ in written {}
        #expect(try await PostgresCountryDatabase(pool, .peru).claim(claim) == .refused(.slotTaken))
        try await other
    }
}
