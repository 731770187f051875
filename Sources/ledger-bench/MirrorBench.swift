import EventStore
import Handlers
import HostSystem
import Logging
import PostgresEngine
import Projections
import Replay
import SQLiteEngine

/// Measures the mirror in PostgreSQL: filling it, keeping it up, and answering auditors from it.
struct MirrorBench {
    let history: HistoryBench
    let url: String

    /// What a server is to stand, in events a second.
    private static let steadyRate = 5000
    private static let steadySeconds = 15

    private struct Filled {
        let file: SQLiteFile
        let mirror: MirrorSessions
        let runner: MirrorRunner
        let people: PersonResolver
        let keys: KeyRing
    }

    private func filled() async throws -> Filled {
        let mirror = MirrorSessions(try PostgresSettings(url: url), random: System.number)
        try await mirror.checkSchema()
        guard try await mirror.worker.state() == MirrorState(position: 0, checkpoint: 0) else {
            throw BenchError("the mirror is not empty: name a new database")
        }
        let (file, people, keys) = try await history.fill()
        let store = SQLiteEventStore(file)
        let runner = MirrorRunner(feed: store, store: store, mirror: mirror.worker, people: people)
        let seconds = try await history.seconds {
            try await mirror.worker.fill { () async throws(EventStoreError) in
                try await runner.backfill(now: System.now(), limit: MirrorPump.batch)
            }
        }
        var limit: Double?
        do { limit = try await self.limit() } catch { report("no limit was measured: \(error)") }
        history.report("mirror-backfill", seconds: seconds, limitPerSecond: limit)
        return Filled(file: file, mirror: mirror, runner: runner, people: people, keys: keys)
    }

    /// How many events a second the server puts into tables of the same columns and indexes by itself: it copies those
    /// that were just mirrored, and checks nothing. Nil where the role may not make a schema.
    private func limit() async throws -> Double? {
        let pool = PostgresPool(try PostgresSettings(url: url), size: 1, random: System.number)
        var taken: Double?
        do {
            taken = try await history.seconds {
                try await pool.use { session in
                    try session.limitStatements(toMilliseconds: 0)
                    try session.run(Self.ceiling)
                }
            }
            try await pool.use { session in
                try session.limitStatements(toMilliseconds: 0)
                try session.run("DROP SCHEMA ledger_ceiling CASCADE")
            }
        } catch let error as EventStoreError where error.postgres?.sqlState == "42501" {
            taken = nil
        }
        await pool.close()
        return taken.map { Double(history.events / 4 * 4) / $0 }
    }

    /// Entries and rows in the order in which they were written: with the indexes that keep them unique, then the
    /// others.
    private static let ceiling = """
        CREATE SCHEMA ledger_ceiling;
        CREATE TABLE ledger_ceiling.entries (LIKE ledger.entries);
        CREATE TABLE ledger_ceiling.appointments (LIKE ledger.appointments) WITH (fillfactor = 80);
        CREATE FUNCTION ledger_ceiling.build(wanted boolean) RETURNS void LANGUAGE plpgsql AS $$
            DECLARE definition text;
            BEGIN
                FOR definition IN
                    SELECT replace(indexdef, ' ON ledger.', ' ON ledger_ceiling.') FROM pg_indexes
                    WHERE schemaname = 'ledger' AND tablename IN ('entries', 'appointments')
                        AND (indexdef LIKE 'CREATE UNIQUE %') = wanted
                LOOP EXECUTE definition; END LOOP;
            END $$;
        SELECT ledger_ceiling.build(true);
        INSERT INTO ledger_ceiling.entries SELECT * FROM ledger.entries ORDER BY position;
        INSERT INTO ledger_ceiling.appointments SELECT * FROM ledger.appointments;
        SET maintenance_work_mem = '256MB';
        SELECT ledger_ceiling.build(false);
        ANALYZE ledger_ceiling.entries, ledger_ceiling.appointments
        """

    /// A backfill with all checks and its indexes, then events at a steady rate next to the pump.
    func mirror() async throws {
        let filled = try await filled()
        let (file, mirror, runner) = (filled.file, filled.mirror, filled.runner)
        let store = SQLiteEventStore(file)
        let stop = Stop(alarm: .real)
        let pump = MirrorPump(
            runner: runner, mirror: mirror.worker, now: System.now,
            logger: Logger(label: "bench", factory: { _ in SwiftLogNoOpLogHandler() }))
        async let pumping: Void = pump.run(until: stop, appended: file.appended)
        async let appending: Void = append(to: store)
        var lags: [UInt64] = []
        let clock = ContinuousClock()
        let (start, before) = (clock.now, try await store.head())
        for _ in 0..<Self.steadySeconds * 10 {
            try await Task.sleep(for: .milliseconds(100))
            let status = try await MirrorStatus.read(mirror.probe, following: store, now: System.now())
            guard let progress = status.progress else {
                throw BenchError("the mirror does not answer: nobody knows how far it is behind")
            }
            lags.append(UInt64(progress.lagMilliseconds) * 1_000_000)
        }
        try await appending
        let (time, after) = (clock.now - start, try await store.head())
        stop.request()
        await pumping
        // What the percentiles say is how far the mirror lagged, sampled ten times a second.
        Measurement(
            name: "mirror-lag", clients: 1, events: after - before,
            seconds: Double(Measurement.nanoseconds(time)) / 1e9, latencies: lags.sorted()
        ).report()
    }

    /// Appends lives of four events each at the steady rate.
    private func append(to store: SQLiteEventStore) async throws {
        let keys = try KeyRing(master: System.random(32))
        let persons = try await history.persons(1, keys, nil)
        let clock = ContinuousClock()
        let start = clock.now
        for tick in 0..<Self.steadySeconds * 50 {
            try await withThrowingTaskGroup { group in
                for index in 0..<Self.steadyRate / 4 / 50 {
                    group.addTask { try await HistoryBench.live(index, person: persons[0], in: store) }
                }
                try await group.waitForAll()
            }
            try await clock.sleep(until: start.advanced(by: .milliseconds(20 * (tick + 1))))
        }
    }

    /// Pages of 100 rows by every kind of filter, then all events out, page by page; then the views anew from them.
    func audit() async throws {
        let filled = try await filled()
        let (file, mirror) = (filled.file, filled.mirror)
        let store = SQLiteEventStore(file)
        let all = history.events / 4 * 4
        let log = MirroredLog(mirror: mirror.reader, store: store)
        let views = SQLiteAppointmentView(file)
        guard let sample = try await store.events(after: all / 2, limit: 1).first?.entry else { return }
        let later = try await store.events(after: all / 2 + 400, limit: 1).first?.entry.at ?? sample.at
        let filters: [(String, EventFilter)] = [
            ("none", EventFilter()), ("type", EventFilter(type: "failed")),
            ("type-country", EventFilter(type: "completed", country: "PE")),
            ("actor", EventFilter(actor: "bench")), ("correlation", EventFilter(correlation: sample.correlation)),
            ("appointment", EventFilter(streams: [sample.stream])), ("time", EventFilter(from: sample.at, to: later)),
            ("since", EventFilter(type: "completed", from: sample.at)),
        ]
        for (name, filter) in filters {
            let page = try await Measurement.run("audit-page-\(name)", clients: 1, operations: 300) { index in
                var query = AuditQuery(filter)
                query.after = filter.from == nil ? (index * 7919) % all : 0
                _ = try await query.page(of: log, views: views)
            }
            page.report()
        }
        try await history.measure("audit-export") {
            var query = AuditQuery()
            query.limit = AuditQuery.maximumLimit
            var count = 0
            while true {
                let page = try await query.page(of: log, views: views)
                count += page.items.count
                guard let next = page.next else { break }
                query.after = next
            }
            guard count == all else { throw BenchError("\(count) of \(all) events were exported") }
        }
        try await rebuild(filled)
    }

    private func rebuild(_ filled: Filled) async throws {
        let source = filled.mirror.worker
        let sets = SQLiteViewCopies(filled.file, keys: filled.keys)
        let rebuild = Rebuild(scan: source, feed: source, sets: sets, people: filled.people)
        try await history.measure("rebuild-from-mirror") {
            try await rebuild.build(ViewCopy.next, now: System.now())
        }
        guard try await sets.compare(ViewCopy.next, limit: 1).differences == 0 else {
            throw BenchError("the view that was rebuilt from the mirror differs from the live one")
        }
    }
}
