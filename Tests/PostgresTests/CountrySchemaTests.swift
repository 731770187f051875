import Appointments
import Dispatch
import EventStore
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
            ("UPDATE clinical.schedules SET country = 'CL', center = 1, medic = 1 WHERE schedule = 1", "23503", nil),
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
            // A medic who is somewhere else at that time.
            (
                """
                INSERT INTO clinical.centers (country, center) VALUES ('PE', 2);
                INSERT INTO clinical.schedules (schedule, country, center, specialty, medic, date)
                VALUES (5, 'PE', 2, 1, 2, '2026-03-02 15:44Z')
                """, "23P01", "schedules_medic"
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

    @Test("a slot whose row somebody has locked for long is unavailable to its claim, and to no other")
    func locked() async throws {
        let pool = try await TestCluster.database(.country(.peru)).pool
        #expect(try await sqlState(of: Self.slots, in: pool) == nil)
        let peru = PostgresCountryDatabase(pool, .peru)
        func claim(_ schedule: Int64) throws -> SlotClaim {
            SlotClaim(
                appointment: AppointmentID(LedgerRows.id(Int(schedule))), schedule: try #require(ScheduleID(schedule)),
                country: .peru, subject: LedgerRows.id(Int(schedule)), now: Timestamp(milliseconds: 1_772_000_000_000))
        }
        let (locked, signal) = AsyncStream.makeStream(of: Void.self)
        let (done, release) = AsyncStream.makeStream(of: Void.self)
        async let other: Void = pool.use { session in
            try session.run("BEGIN; SELECT 1 FROM clinical.schedules WHERE schedule = 1 FOR UPDATE")
            signal.finish()
            let waiting = DispatchSemaphore(value: 0)
            Task {
                for await _ in done {}
                waiting.signal()
            }
            waiting.wait()
            try session.run("ROLLBACK")
        }
        for await _ in locked {}
        let wish = try claim(1)
        let first = Task { try await peru.claim(wish) }
        #expect(try await peru.claim(claim(2)).isHeld)
        let error = await #expect(throws: EventStoreError.self) { try await first.value }
        #expect(error?.code == .unavailable && error?.postgres?.sqlState == "55P03")
        release.finish()
        try await other
        #expect(try await peru.claim(claim(1)).isHeld)
    }

    @Test("slots that overlapped before it was refused stay, are marked, and may be moved away")
    func before() async throws {
        let database = try await TestCluster.emptyDatabase()
        let steps = Migrator.steps(of: .country(.peru))
        _ = try await Migrator(database.pool, steps.filter { $0.name < "005" }).up()
        let old = """
            INSERT INTO clinical.centers (country, center) VALUES ('PE', 2);
            INSERT INTO clinical.schedules (schedule, country, center, specialty, medic, date) VALUES
                (8, 'PE', 2, 1, 1, '2026-03-02 15:10Z');
            """
        #expect(try await sqlState(of: Self.slots + old, in: database.pool) == nil)
        _ = try await Migrator(database.pool, steps).up()
        let marked = try await database.pool.use { session in
            try session.query("SELECT schedule FROM clinical.schedules WHERE overlapping ORDER BY schedule") {
                try $0.int(0)
            }
        }
        #expect(marked == [1, 2, 8])
        let peru = PostgresCountryDatabase(try database.pool, .peru)
        let rows = try await peru.schedules(after: nil, limit: 9).map(\.slot)
        try await peru.add(rows)
        let eight = try #require(rows.last)
        func moved(to minutes: Int64) -> Slot {
            Slot(
                schedule: eight.schedule, center: 2, specialty: 1, medic: 1,
                date: eight.date.adding(milliseconds: minutes * 60_000))
        }
        await #expect(throws: EventStoreError.self) { try await peru.add([moved(to: 5)]) }
        try await peru.add([moved(to: 60)])
        #expect(try await peru.schedules(after: nil, limit: 9).last?.slot == moved(to: 60))
    }

    @Test("pages of slots and claims go along an index in their order, out of 200,000")
    func plans() async throws {
        let pool = try await TestCluster.database(.country(.peru)).pool
        try await pool.use { session in
            try session.limitStatements(toMilliseconds: 0)
            try session.run(
                """
                INSERT INTO clinical.centers (country, center) VALUES ('PE', 1), ('CL', 1);
                INSERT INTO clinical.specialties (country, specialty) VALUES ('PE', 1), ('CL', 1);
                INSERT INTO clinical.medics (country, medic)
                    SELECT country, medic FROM (VALUES ('PE'), ('CL')) AS c (country), generate_series(0, 99) AS medic;
                -- What is not asked about would take most of the time.
                ALTER TABLE clinical.schedules DROP CONSTRAINT schedules_medic;
                SET LOCAL session_replication_role = replica;
                INSERT INTO clinical.schedules (schedule, country, center, specialty, medic, date, ends)
                SELECT n, CASE WHEN n % 3 = 0 THEN 'CL' ELSE 'PE' END, 1, 1, n % 100, date, date + interval '30 minutes'
                FROM generate_series(1, 200000) AS n,
                    LATERAL (SELECT '2026-03-02Z'::timestamptz + n / 100 * interval '30 minutes' AS date) AS slot;
                INSERT INTO clinical.appointments_pe (appointment, schedule, subject, date, ends, claimed)
                SELECT gen_random_uuid(), schedule, gen_random_uuid(), date, ends, now() FROM clinical.schedules
                WHERE country = 'PE' AND schedule % 10 = 0;
                """)
            try session.run("ANALYZE clinical.schedules; ANALYZE clinical.appointments_pe")
        }
        let uuid = PostgresValue.uuid(LedgerRows.id(1))
        for (query, parameters) in [
            (PostgresCountryDatabase.page(of: .peru), [.text("PE"), .int8(100_000), .int8(500)]),
            (PostgresCountryDatabase.claimPage(of: .peru), [uuid, .int8(500)]),
        ] as [(String, [PostgresValue])] {
            let plan = try await pool.use { session in
                try session.query("EXPLAIN \(query)", parameters) { try $0.text(0) }
            }
            let text = plan.joined(separator: "\n")
            #expect(text.contains("Index") && !text.contains("Sort"), "\(text)")
            #expect(!text.contains("Seq Scan on schedules"), "\(text)")
        }
    }
}

extension ClaimResult {
    fileprivate var isHeld: Bool {
        if case .held = self { true } else { false }
    }
}
