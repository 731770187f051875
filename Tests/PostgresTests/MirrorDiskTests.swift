import EventStore
import PostgresEngine
import Projections
import SQLiteEngine
import TestEngines
import TestPostgres
import Testing

@Suite(
    "A mirror whose disk is full", .dropsDatabases, .timeLimit(.minutes(10)),
    .enabled(if: TestCluster.isThere, TestCluster.reason), .enabled(if: SmallDisk.isThere, SmallDisk.reason))
struct MirrorDiskTests {
    @Test("while its disk is full the ledger goes on, and it catches up once there is room")
    func full() async throws {
        let (cluster, load) = (try await OwnCluster.make(), try Load())
        let disk = try SmallDisk(of: cluster, megabytes: 64)
        defer { disk.remove() }
        try await cluster.database.pool.use { session in
            try session.run("CREATE TABLESPACE small LOCATION '\(disk.path)'")
            try session.run("CREATE DATABASE ledger TABLESPACE small")
        }
        let database = TestDatabase(name: "ledger", directory: cluster.directory)
        let pool = try database.pool
        _ = try await Migrator(pool, Migrator.steps(of: .ledger)).up()
        let mirror = PostgresMirror(pool)
        try await load.run(into: mirror) {
            try await Task.sleep(for: .milliseconds(300))
            try disk.fill()
            // It stands still while the ledger goes on, and says why.
            var (last, stood) = (-1, 0)
            while stood < 5 {
                try await Task.sleep(for: .milliseconds(200))
                let position = try await mirror.state().position
                (last, stood) = (position, position == last ? stood + 1 : 0)
            }
            while try await load.store.head() <= last + 50 { try await Task.sleep(for: .milliseconds(50)) }
            let refused = await failure {
                try await pool.use { try $0.run("CREATE TABLE more AS SELECT generate_series(1, 100000)") }
            }
            #expect(refused == .unavailable)
            disk.free()
        }
        try await load.expectWhole(mirror)
        await pool.close()
    }
}
