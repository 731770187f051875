import Appointments
import EventStore
import PostgresEngine
import TestPostgres
import Testing

/// What a country's role may and may not do, tried by logging in as it.
@Suite(.enabled(if: TestCluster.isThere, TestCluster.reason), .dropsDatabases)
struct CountryRoleTests {
    private static func database() async throws -> TestDatabase {
        let database = try await TestCluster.database(.country(.peru))
        let slots = """
            INSERT INTO clinical.centers (country, center) VALUES ('PE', 1), ('CL', 1);
            INSERT INTO clinical.specialties (country, specialty) VALUES ('PE', 1), ('CL', 1);
            INSERT INTO clinical.medics (country, medic) VALUES ('PE', 1), ('CL', 1);
            INSERT INTO clinical.schedules (schedule, country, center, specialty, medic, date) VALUES
                (1, 'PE', 1, 1, 1, '2026-03-02 15:00Z'), (2, 'CL', 1, 1, 1, '2026-03-02 15:00Z')
            """
        #expect(try await sqlState(of: slots, in: try database.pool) == nil)
        return database
    }

    /// What the program does with a slot of a country.
    private static func work(_ country: String, _ schedule: Int) -> [String] {
        [
            "SELECT * FROM clinical.schedules WHERE schedule = \(schedule) FOR NO KEY UPDATE",
            """
            INSERT INTO clinical.appointments_\(country) (appointment, schedule, subject, date, ends, claimed)
            SELECT gen_random_uuid(), schedule, gen_random_uuid(), date, date + interval '30 minutes', now()
            FROM clinical.schedules WHERE schedule = \(schedule)
            """,
            "UPDATE clinical.appointments_\(country) SET released = now() WHERE released IS NULL",
            """
            INSERT INTO clinical.refusals_\(country) (appointment, reason, refused)
            VALUES (gen_random_uuid(), 'SLOT_TAKEN', now()) ON CONFLICT DO NOTHING
            """,
            "SELECT * FROM clinical.appointments_\(country); SELECT * FROM clinical.refusals_\(country)",
        ]
    }

    @Test("a country's role claims and gives back its own slots", arguments: [("pe", 1), ("cl", 2)])
    func own(country: String, schedule: Int) async throws {
        let pool = try await Self.database().login("ledger_\(country)")
        for sql in Self.work(country, schedule) { #expect(try await sqlState(of: sql, in: pool) == nil, "\(sql)") }
        try await Migrator(pool, Migrator.steps(of: .country(.peru))).check()
    }

    @Test("a claim by a role that may not make it waits for another role, and loses nothing")
    func otherRole() async throws {
        let claim = SlotClaim(
            appointment: AppointmentID(Identifier.version4(random: (1, 2))), schedule: try #require(ScheduleID(2)),
            country: .chile, subject: .version4(random: (3, 4)), now: try #require(Timestamp("2026-03-01T15:00:00Z")))
        let database = PostgresCountryDatabase(try await Self.database().login("ledger_pe"), .chile)
        for body in [
            { _ = try await database.claim(claim) }, { try await database.release(claim.appointment, at: claim.now) },
        ] as [() async throws -> Void] {
            let error = await #expect(throws: EventStoreError.self) { try await body() }
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains("RDS_USERNAME_CL") == true, "\(error as Any)")
        }
    }

    @Test("a country's role may do no more than that", arguments: [("pe", "cl"), ("cl", "pe")])
    func others(country: String, other: String) async throws {
        let attempts = [
            "SELECT * FROM clinical.appointments_\(other)", "SELECT * FROM clinical.refusals_\(other)",
            "INSERT INTO clinical.refusals_\(other) VALUES (gen_random_uuid(), '', now())",
            "UPDATE clinical.appointments_\(other) SET released = now()",
            "DELETE FROM clinical.appointments_\(country)",
            "UPDATE clinical.appointments_\(country) SET subject = gen_random_uuid()",
            "UPDATE clinical.refusals_\(country) SET reason = ''", "TRUNCATE clinical.refusals_\(country)",
            "UPDATE clinical.schedules SET date = now()",
            "UPDATE clinical.schedules SET schedule = schedule + 1000000", "DELETE FROM clinical.schedules",
            "INSERT INTO clinical.centers (country, center) VALUES ('PE', 2)",
            "ALTER TABLE clinical.appointments_\(country) DROP COLUMN claimed", "CREATE TABLE clinical.mine (id int)",
            "SET ROLE ledger_\(other)", "SET ROLE postgres", "UPDATE migration.steps SET sha256 = ''",
        ]
        let pool = try await Self.database().login("ledger_\(country)")
        for sql in attempts { #expect(try await sqlState(of: sql, in: pool) == "42501", "\(sql)") }
    }
}
