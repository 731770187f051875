import API
import Appointments
import EventStore
import Handlers
import MemoryEngine
import Projections
import Synchronization
import Testing

/// What is told of a ledger some of whose parts do not answer.
@Suite struct StatusWatchTests {
    /// A country's database that answers only once it is let go.
    private struct FrozenCountry: CountryDatabase {
        let bell: Doorbell

        func claim(_ claim: SlotClaim) async throws(EventStoreError) -> ClaimResult { .refused(.scheduleNotFound) }
        func release(_ appointment: AppointmentID, at now: Timestamp) async throws(EventStoreError) {}
        func claims(after appointment: AppointmentID?, limit: Int) async throws(EventStoreError) -> [StandingClaim] {
            []
        }
        func putBack(_ claim: StandingClaim) async throws(EventStoreError) -> Bool { false }
        func add(_ slots: [Slot]) async throws(EventStoreError) {}
        func schedules(after schedule: ScheduleID?, limit: Int) async throws(EventStoreError) -> [ScheduleRow] {
            await bell.wait(since: 0, atMostMilliseconds: 600_000)
            return []
        }
    }

    private func table(of world: World, _ watch: StatusWatch) -> API {
        let people = PersonResolver(directory: world.directory, keys: world.keys)
        return API(
            performer: world.performer, views: world.views, log: world.store, people: people,
            progress: ViewProgress(feed: world.store, checkpoints: world.views), audit: world.store,
            histories: world.store, trail: MemoryAccessLog(), authenticator: Authenticator(keys: MemoryAPIKeys()),
            status: watch, secrets: world.keys, elapsed: { .zero }, random: { Array(repeating: 1, count: $0) },
            logger: world.logger)
    }

    private func answer(_ table: API, _ path: String) async -> String {
        let response = await table.respond(
            to: APIRequest(method: "GET", path: path, remoteAddress: "127.0.0.1", requestID: "r"))
        return "\(response.status) " + String(decoding: response.body, as: UTF8.self)
    }

    private func wait(_ table: API, _ path: String, until text: String) async throws -> String {
        let end = ContinuousClock.now + .seconds(60)
        while true {
            let answer = await answer(table, path)
            if answer.contains(text) { return answer }
            try #require(ContinuousClock.now < end, "\(path) never said \(text): \(answer)")
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    @Test("a country that does not answer is told of, with how long it is silent, and nobody waits for it")
    func frozen() async throws {
        let world = try World()
        let (bell, stop) = (Doorbell(alarm: .real), Stop(alarm: .real))
        let status = LedgerStatus(
            feed: world.store, views: world.views, checkpoints: world.views, projections: [], audit: world.store,
            queues: [.peru: world.messaging.queue(.peru)], countries: [.chile: FrozenCountry(bell: bell)],
            sweeps: MemorySweepLog(views: world.views), now: { [clock = world.clock] in clock.now })
        let watch = StatusWatch(status, memory: nil)
        let table = self.table(of: world, watch)
        // Nothing was asked yet.
        let running = Task { await watch.run(until: stop) }
        let ready = try await wait(table, "/health/ready", until: "200 ")
        #expect(ready.contains(#""countries":[{"countryISO":"CL","answers":false"#))
        _ = try await wait(table, "/health/ready", until: #""answers":false,"silentSeconds":2"#)
        let metrics = try await wait(table, "/metrics", until: "ledger_events")
        #expect(metrics.contains(#"ledger_country_up{country="CL"} 0"#))
        #expect(metrics.contains(#"ledger_status_age_seconds{of="store"}"#))
        #expect(!metrics.contains(#"{of="country-CL"}"#))
        bell.ring()
        _ = try await wait(table, "/health/ready", until: #"{"countryISO":"CL","answers":true}"#)
        _ = try await wait(table, "/metrics", until: #"ledger_status_age_seconds{of="country-CL"}"#)
        stop.request()
        await running.value
    }

    @Test("what can't be written makes a ledger not ready, and it is ready again by itself")
    func unwritable() async throws {
        let world = try World()
        let stop = Stop(alarm: .real)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let shared = Shared()
            let status = LedgerStatus(
                feed: world.store, views: world.views, checkpoints: world.views, projections: [], audit: world.store,
                queues: [:], sweeps: MemorySweepLog(views: world.views),
                writeProblem: { shared.problem.withLock { $0 } }, now: { [clock = world.clock] in clock.now })
            let watch = StatusWatch(status, memory: nil)
            let table = self.table(of: world, watch)
            group.addTask { await watch.run(until: stop) }
            let answer = try await wait(table, "/health/ready", until: "nothing can be written: the disk is full")
            #expect(answer.hasPrefix("503 "))
            #expect(try await wait(table, "/metrics", until: "ledger_store_writable 0").hasPrefix("200 "))
            shared.problem.withLock { $0 = nil }
            _ = try await wait(table, "/health/ready", until: "200 ")
            stop.request()
            try await group.waitForAll()
        }
    }

    private final class Shared: Sendable {
        let problem = Mutex<String?>("the disk is full")
    }
}
