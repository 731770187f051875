import Appointments
import EventStore
import PostgresEngine
import TestPostgres
import Testing

/// What each role may and may not do, tried by logging in as it.
@Suite(.enabled(if: TestCluster.isThere, TestCluster.reason), .dropsDatabases)
struct RoleTests {
    private static let denied = "42501"

    private func entries(_ database: TestDatabase) async throws -> [[UInt8]] {
        try await database.pool.use { session in
            try session.query("SELECT sha256(e::text::bytea) FROM ledger.entries AS e ORDER BY position") {
                try $0.bytes(0)
            }
        }
    }

    @Test("nobody changes an entry, not even the cluster's owner or a replica's session")
    func appendOnly() async throws {
        let changes = [
            "UPDATE ledger.entries SET actor = 'nobody'", "UPDATE ledger.entries SET at = at WHERE position = 99",
            "DELETE FROM ledger.entries WHERE position = 3", "DELETE FROM ledger.entries WHERE false",
            "TRUNCATE ledger.entries", "TRUNCATE ledger.entries, ledger.conflicts CASCADE",
            "INSERT INTO ledger.entries SELECT * FROM ledger.entries ON CONFLICT (position) DO UPDATE SET actor = ''",
            """
            MERGE INTO ledger.entries AS e USING (VALUES (1)) AS v (p) ON e.position = v.p WHEN MATCHED THEN DELETE
            """,
            "WITH gone AS (DELETE FROM ledger.entries RETURNING *) SELECT * FROM gone",
            "DELETE FROM ledger.head", "UPDATE ledger.head SET position = 1", "TRUNCATE ledger.head",
            "UPDATE ledger.audit_access SET rows = 0", "DELETE FROM ledger.audit_access",
            "TRUNCATE ledger.audit_access",
        ]
        let database = try await LedgerRows.database()
        let before = try await entries(database)
        for sql in changes {
            for setting in ["", "SET session_replication_role = replica; ", "SET ROLE ledger_owner; "] {
                let state = try await sqlState(of: setting + sql, in: try database.pool)
                #expect(state == "23001", "\(setting)\(sql)")
            }
        }
        #expect(try await entries(database) == before)
    }

    @Test("nobody logs in as the owner")
    func owner() async throws {
        let database = try await LedgerRows.database()
        let pool = try database.login("ledger_owner")
        let error = await #expect(throws: EventStoreError.self) { try await pool.use { $0.serverProcess } }
        #expect(error?.code == .unavailable)
        let owners = try await database.pool.use { session in
            try session.query(
                """
                SELECT DISTINCT pg_get_userbyid(relowner)::text FROM pg_class
                WHERE relnamespace = 'ledger'::regnamespace
                UNION SELECT pg_get_userbyid(proowner)::text FROM pg_proc
                WHERE pronamespace = 'ledger'::regnamespace
                """
            ) { try $0.text(0) }
        }
        #expect(owners == ["ledger_owner"])
    }

    @Test("the mirror's role reads and adds, and moves the checkpoint")
    func mirror() async throws {
        let work = [
            "SELECT * FROM ledger.entries; SELECT * FROM ledger.head FOR UPDATE; SELECT * FROM ledger.spans",
            "UPDATE ledger.head SET checkpoint = 5, moved = now()",
            "INSERT INTO ledger.audit_access (at, caller, filters, rows) VALUES (now(), 'key:a', '{}', 1)",
            """
            INSERT INTO ledger.conflicts (at, stream, version, leaf, entry, reason)
            VALUES (now(), gen_random_uuid(), 1, '\\x00', '\\x00', 'another')
            """,
            "UPDATE ledger.appointments SET insured = NULL; DELETE FROM ledger.appointments",
            "CREATE TEMPORARY TABLE arrivals (LIKE ledger.entries) ON COMMIT DELETE ROWS",
            "SELECT * FROM ledger.bounds(NULL, now())",
        ]
        let pool = try await LedgerRows.database().login("ledger_mirror")
        for sql in work { #expect(try await sqlState(of: sql, in: pool) == nil, "\(sql)") }
    }

    @Test("the mirror's role may do no more than that")
    func noMirror() async throws {
        let attempts = [
            "UPDATE ledger.entries SET actor = ''", "DELETE FROM ledger.entries", "TRUNCATE ledger.entries",
            "UPDATE ledger.head SET position = 9", "DELETE FROM ledger.head",
            "INSERT INTO ledger.head (id) VALUES (1)", "UPDATE ledger.spans SET latest = now()",
            "UPDATE ledger.conflicts SET reason = ''", "DELETE FROM ledger.conflicts",
            "UPDATE ledger.audit_access SET rows = 0", "DELETE FROM ledger.audit_access",
            "TRUNCATE ledger.appointments", "DROP TABLE ledger.appointments",
            "ALTER TABLE ledger.entries DISABLE TRIGGER entries_never_change",
            "ALTER TABLE ledger.entries DISABLE TRIGGER ALL", "DROP TRIGGER entries_never_change ON ledger.entries",
            "ALTER TABLE ledger.entries DROP CONSTRAINT entries_hash_to_their_leaf",
            "CREATE OR REPLACE FUNCTION ledger.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "CREATE TRIGGER mine BEFORE INSERT ON ledger.entries FOR EACH ROW EXECUTE FUNCTION ledger.refuse()",
            "CREATE RULE mine AS ON UPDATE TO ledger.entries DO INSTEAD NOTHING",
            "CREATE TABLE ledger.mine (id int)", "SET session_replication_role = replica", "SET ROLE ledger_owner",
            "SET ROLE postgres", "GRANT ledger_owner TO ledger_mirror", "ALTER ROLE ledger_mirror CREATEROLE",
            "ALTER SCHEMA ledger OWNER TO ledger_mirror", "UPDATE migration.steps SET sha256 = ''",
            "COPY ledger.entries TO '/dev/null'", "SELECT pg_read_file('PG_VERSION')",
            "SELECT ledger.entries_arrive()", "SELECT pg_terminate_backend(pg_backend_pid() + 1) FROM pg_authid",
        ]
        let pool = try await LedgerRows.database().login("ledger_mirror")
        for sql in attempts { #expect(try await sqlState(of: sql, in: pool) == Self.denied, "\(sql)") }
    }

    @Test("an auditor sees events and appointments with the person masked")
    func auditor() async throws {
        let database = try await LedgerRows.database()
        let pool = try database.login("ledger_auditor", readsOnly: true)
        let events = try await pool.use { session in
            try session.query(
                """
                SELECT position, insured, data, leaf, entry, at, actor, correlation, country, type, version,
                    appointment, causation, previous, id
                FROM ledger.audit_events WHERE position > 1 ORDER BY position LIMIT 5
                """
            ) { ([try $0.int(0)], try $0.text(1), try $0.json(2), try $0.hash(3), try $0.bytes(4)) }
        }
        #expect(events.map(\.0) == [[2], [3]] && events.map(\.1) == ["***02", "***03"])
        #expect(events.map(\.2) == [Array("{}".utf8), Array("{}".utf8)])
        #expect(events.allSatisfy { Hash.leaf(of: $0.4) == $0.3 })
        let rows = try await pool.use { session in
            try session.query("SELECT insured, country, status FROM ledger.audit_appointments ORDER BY 1") {
                try $0.text(0)
            }
        }
        #expect(rows == ["***01", "***02", "***03"])
        #expect(try await sqlState(of: "SELECT * FROM ledger.audit_conflicts", in: pool) == nil)
    }

    @Test("an entry that PostgreSQL takes for no JSON is shown to auditors without its fields")
    func unreadable() async throws {
        let database = try await LedgerRows.database()
        let odd = try LedgerRows.entry(4, note: "{\"text\":\"\\u0000\"}")
        _ = try await database.login("ledger_mirror").use { try $0.pipeline([LedgerRows.insert(odd, at: 4)]) }
        let isNull = try await database.login("ledger_auditor", readsOnly: true).use { session in
            try session.query("SELECT data FROM ledger.audit_events ORDER BY position") { $0.isNull(0) }
        }
        #expect(isNull == [false, false, false, true])
    }

    @Test("an auditor may do no more than that")
    func noAuditor() async throws {
        let attempts = [
            "SELECT * FROM ledger.entries", "SELECT sealed FROM ledger.entries", "SELECT * FROM ledger.appointments",
            "SELECT insured FROM ledger.appointments", "SELECT count(*) FROM ledger.audit_access",
            "SELECT * FROM ledger.head", "SELECT * FROM ledger.conflicts", "SELECT * FROM ledger.spans",
            "INSERT INTO ledger.audit_access (at, caller, filters, rows) VALUES (now(), '', '{}', 0)",
            "UPDATE ledger.audit_appointments SET status = 'failed'", "DELETE FROM ledger.audit_appointments",
            "UPDATE ledger.audit_events SET actor = ''", "DELETE FROM ledger.audit_conflicts",
            "INSERT INTO ledger.audit_conflicts (reason) VALUES ('mine')",
            "SELECT ledger.drop_indexes()", "SELECT ledger.build_indexes()", "SELECT * FROM ledger.bounds(NULL, NULL)",
            "CREATE TABLE ledger.mine (id int)", "CREATE TABLE public.mine (id int)",
            "ALTER VIEW ledger.audit_appointments SET (security_barrier = false)",
            "CREATE OR REPLACE VIEW ledger.audit_appointments AS SELECT * FROM ledger.appointments",
            "SET ROLE ledger_mirror", "SET ROLE ledger_owner", "SET SESSION AUTHORIZATION postgres",
            "SET session_replication_role = replica", "COPY ledger.appointments TO STDOUT",
            "SELECT * FROM pg_authid", "SELECT * FROM pg_statistic", "SELECT pg_read_file('PG_VERSION')",
            "LOCK TABLE ledger.entries",
        ]
        let pool = try await LedgerRows.database().login("ledger_auditor", readsOnly: true)
        for sql in attempts {
            let script = "SET default_transaction_read_only = off; COMMIT; \(sql)"
            #expect(try await sqlState(of: script, in: pool) == Self.denied, "\(sql)")
        }
    }

    @Test("a function of the reader's own, called before anything else, sees masked persons only")
    func leak() async throws {
        let database = try await LedgerRows.database()
        try await database.pool.use { session in
            try session.run(
                """
                ANALYZE ledger.appointments;
                CREATE TABLE public.seen (value text);
                CREATE FUNCTION public.peek(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 SECURITY DEFINER
                AS 'BEGIN INSERT INTO public.seen VALUES (value); RETURN true; END';
                """)
        }
        let pool = try database.login("ledger_auditor", readsOnly: true)
        #expect(
            try await sqlState(
                of: """
                    SELECT * FROM ledger.audit_appointments WHERE public.peek(insured) AND public.peek(status)
                        AND country = 'PE';
                    SELECT * FROM ledger.audit_events WHERE public.peek(insured) AND public.peek(data::text)
                        AND public.peek(encode(entry, 'escape')) ORDER BY position;
                    SELECT * FROM ledger.audit_events AS e JOIN ledger.audit_appointments AS a
                        ON a.appointment = e.appointment AND public.peek(a.insured || e.insured);
                    """, in: pool) == nil)
        let (count, whole) = try await database.pool.use { session in
            try session.row("SELECT count(*), count(*) FILTER (WHERE value ~ '0010[123]') FROM public.seen") {
                (try $0.int(0), try $0.int(1))
            } ?? (0, 0)
        }
        #expect(count >= 15 && whole == 0)
        // The statistics of a table hold its commonest values.
        let statistics = try await pool.use { session in
            try session.row("SELECT count(*) FROM pg_stats WHERE schemaname = 'ledger'") { try $0.int(0) }
        }
        #expect(statistics == 0)
        for view in ["audit_events", "audit_appointments", "audit_conflicts"] {
            let options = try await pool.use { session in
                try session.row("SELECT reloptions::text FROM pg_class WHERE relname = $1", [.text(view)]) {
                    try $0.text(0)
                }
            }
            #expect(options?.contains("security_barrier") == true)
        }
    }

    @Test("an auditor can make no function, and is read-only unless he asks otherwise")
    func database() async throws {
        // What belongs to the database and not into it is there only where the steps were applied.
        let database = try await TestCluster.emptyDatabase()
        _ = try await Migrator(try database.pool, Migrator.steps(of: .ledger)).up()
        let pool = try database.login("ledger_auditor", readsOnly: true)
        let function = "CREATE FUNCTION pg_temp.peek(text) RETURNS text LANGUAGE sql AS 'SELECT $1'"
        #expect(try await sqlState(of: function, in: pool) == "25006")
        let insist = "SET default_transaction_read_only = off; COMMIT; \(function)"
        #expect(try await sqlState(of: insist, in: pool) == Self.denied)
        #expect(
            try await sqlState(
                of: "SET default_transaction_read_only = off; COMMIT; CREATE TEMPORARY TABLE mine (id int)",
                in: pool) == Self.denied)
        let temporary = "CREATE TEMPORARY TABLE arrivals (LIKE ledger.entries)"
        #expect(try await sqlState(of: temporary, in: try database.login("ledger_mirror")) == nil)
    }

    @Test("an auditor's page by position follows an index, whatever it is filtered by")
    func pages() async throws {
        let database = try await TestCluster.emptyDatabase()
        _ = try await Migrator(try database.pool, Migrator.steps(of: .ledger)).up()
        try await database.pool.use { session in
            try session.run(
                """
                INSERT INTO ledger.entries
                    (position, at, stream, id, version, type, country, actor, correlation, leaf, entry)
                SELECT n, '2026-01-01Z'::timestamptz + n * interval '1 second', gen_random_uuid(), gen_random_uuid(), 1,
                    CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'requested' END,
                    CASE WHEN n % 3 = 0 THEN 'CL' ELSE 'PE' END,
                    'key:' || n % 7, 'c-' || n % 5000, sha256('\\x00' || convert_to(entry, 'UTF8')),
                    convert_to(entry, 'UTF8')
                FROM generate_series(1, 30000) AS n, format('{"data":{"n":%s}}', n) AS entry;
                ANALYZE ledger.entries;
                """)
        }
        let pool = try database.login("ledger_auditor", readsOnly: true)
        let filters = [
            "position > 0", "position > 20000", "type = 'failed'", "type = 'requested' AND position > 9000",
            "country = 'CL'", "actor = 'key:3'", "actor = 'key:3' AND type = 'failed'", "correlation = 'c-77'",
            "country = 'PE' AND type = 'failed' AND position > 100", "at > '2026-01-01 02:00Z' AND type = 'failed'",
        ]
        for filter in filters {
            let plan = try await plan(filter, in: pool)
            #expect(plan.contains("Index Scan using entries_") && !plan.contains("Sort"), "\(filter): \(plan)")
        }
        // The few of a short time, or of one appointment, are found by an index and sorted then.
        for filter in ["at < '2026-01-01 00:01Z'", "appointment = '00000000-0000-7000-8000-000000000001'"] {
            let plan = try await plan(filter, in: pool)
            #expect(plan.contains("Index Scan using entries_"), "\(filter): \(plan)")
        }
    }

    private func plan(_ filter: String, in pool: PostgresPool) async throws -> String {
        try await pool.use { session in
            try session.query(
                "EXPLAIN SELECT * FROM ledger.audit_events WHERE \(filter) ORDER BY position LIMIT 100"
            ) { try $0.text(0) }.joined(separator: "\n")
        }
    }

    @Test("whoever may connect makes no large object, and no role's refused rows or persons are told beside the tables")
    func beside() async throws {
        let database = try await LedgerRows.database()
        for role in ["ledger_auditor", "ledger_mirror"] {
            let pool = try database.login(role, readsOnly: role == "ledger_auditor")
            for sql in [
                "SELECT lo_creat(-1)", "SELECT lo_create(0)", "SELECT lo_from_bytea(0, '\\x00')",
                "SELECT lo_put(1, 0, '')",
                "SELECT lo_open(1, 131072)", "SELECT lowrite(0, '\\x00')", "SELECT lo_unlink(1)",
            ] {
                let script = "SET default_transaction_read_only = off; COMMIT; \(sql)"
                #expect(try await sqlState(of: script, in: pool) == Self.denied, "\(role): \(sql)")
            }
        }
        let known = try await database.pool.use { session in
            try session.run("ANALYZE ledger.appointments")
            return try session.row(
                "SELECT count(*) FROM pg_stats WHERE schemaname = 'ledger' AND attname = 'insured'"
            ) { try $0.int(0) }
        }
        #expect(known == 0)
    }

    @Test("who has nothing to do in a database does not connect to it, and its settings keep rows out of the log")
    func connecting() async throws {
        for (kind, inside, outside) in [
            (PostgresDatabase.ledger, ["ledger_mirror", "ledger_auditor"], ["ledger_pe"]),
            (.country(.peru), ["ledger_pe", "ledger_cl"], ["ledger_auditor", "ledger_mirror"]),
        ] {
            // Roles belong to the cluster: both schemas have made theirs before.
            for other in [PostgresDatabase.ledger, .country(.peru)] { _ = try await TestCluster.database(other) }
            let database = try await TestCluster.emptyDatabase()
            _ = try await Migrator(try database.pool, Migrator.steps(of: kind)).up()
            for role in inside {
                let pool = try database.login(role, readsOnly: true)
                let verbosity = try await pool.use { session in
                    try session.row("SELECT current_setting('log_error_verbosity')") { try $0.text(0) }
                }
                #expect(verbosity == "terse")
                if role != "ledger_mirror" {
                    let temporary =
                        "SET default_transaction_read_only = off; COMMIT; CREATE TEMPORARY TABLE mine (id int)"
                    #expect(try await sqlState(of: temporary, in: pool) == Self.denied)
                }
            }
            let connects = try await database.pool.use { session in
                try session.query(
                    """
                    SELECT has_database_privilege(rolname, current_database(), 'CONNECT') FROM pg_roles
                    WHERE rolname IN (\(outside.map { "'\($0)'" }.joined(separator: ", ")))
                    """
                ) { try $0.bool(0) }
            }
            #expect(connects == outside.map { _ in false })
        }
    }
}
