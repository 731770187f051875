import Appointments
import EventStore
import Foundation
import Handlers
import MemoryEngine
import PostgresEngine
import Projections
import TestAWS
import TestPostgres
import TestPrograms
import Testing

@testable import AWSEngine

/// The whole flow with the real program as every function: API Gateway's requests, the change stream, topics, queues
/// and the bus of the emulator, the country's slots and the mirror in PostgreSQL.
@Suite(
    .serialized, .enabled(if: Emulator.isThere && TestCluster.isThere, "scripts/test.sh starts what this needs"),
    .dropsDatabases)
struct FunctionFlowTests {
    private static let body = #"{"insuredId":"00123","scheduleId":100,"countryISO":"PE"}"#

    /// A Wednesday in a week or two, 10:00 in Lima.
    private static var morning: Timestamp {
        var day = Int(AWSClock.realTime().milliseconds / 86_400_000) + 7
        while CivilDate(daysSinceEpoch: day).weekday != 3 { day += 1 }
        return Timestamp(milliseconds: Int64(day) * 86_400_000 + 15 * 3_600_000)
    }

    private static func slots(_ count: Int64) throws -> [Slot] {
        try (0..<count).map { number in
            Slot(
                schedule: try #require(ScheduleID(100 + number)), center: 1, specialty: 1, medic: 1 + number,
                date: morning.adding(milliseconds: number * 1_800_000))
        }
    }

    /// What brings events and messages to the functions.
    private struct Triggers {
        let stream: ChangePoller
        let mirror: ChangePoller
        let queues: [QueuePoller]

        init(_ deployment: Deployment) {
            let (client, names) = (deployment.client, deployment.names)
            stream = ChangePoller(deployment.appointment, client, table: names.tables.events)
            mirror = ChangePoller(deployment.mirror, client, table: names.tables.events, batch: 500)
            queues = [
                QueuePoller(host: deployment.country, client: client, queue: "appointments-pe"),
                QueuePoller(host: deployment.appointment, client: client, queue: "appointments-completion"),
                QueuePoller(host: deployment.appointment, client: client, queue: "appointments-error"),
            ]
        }

        /// Brings to the functions what is there.
        ///
        /// - Returns: how much that was.
        @discardableResult
        func round(_ change: ([JSONValue]) -> [JSONValue] = { $0 }) async throws -> Int {
            var count = try await stream.poll(change) + mirror.poll(change)
            for queue in queues { count += try await queue.poll().received }
            return count
        }
    }

    private func rows(_ deployment: Deployment) async throws -> [AppointmentRow] {
        try await deployment.views.rows(RowFilter(country: .peru), after: nil, offset: 0, limit: 100)
    }

    /// Brings everything round until all appointments have come to their end.
    private func settle(_ deployment: Deployment, _ triggers: Triggers, count: Int) async throws {
        let end = ContinuousClock.now + .seconds(120)
        while ContinuousClock.now < end {
            let moved = try await triggers.round()
            let done = try await rows(deployment).filter { $0.status == .completed || $0.status == .failed }.count
            if done == count, moved == 0 { return }
            if moved == 0 { try await Task.sleep(for: .milliseconds(50)) }
        }
        Issue.record("it never ended: \(deployment.appointment.log)\(deployment.country.log)\(deployment.mirror.log)")
    }

    /// All invariants of one completed appointment, in every place.
    private func expectCompleted(_ id: AppointmentID, _ deployment: Deployment) async throws {
        let events = try await deployment.store.read(id.stream)
        #expect(events.map(\.entry.type) == ["requested", "routed", "country-processed", "completed"])
        let row = try await deployment.views.row(id)
        #expect(row?.status == .completed && row?.version == 4)
        let mirror = PostgresMirror(try deployment.mirrorDatabase.pool)
        let mirrored = try await mirror.streams([id.stream])[id.stream]
        #expect(mirrored?.head.version == 4 && mirrored?.row == row)
    }

    @Test("a request goes through all four functions to its end, and every answer is the API's")
    func flow() async throws {
        let proxy = WireProxy(to: Emulator.port)
        let deployment = try await Deployment(through: proxy)
        try await PostgresCountryDatabase(try deployment.peru.pool, .peru).add(try Self.slots(2))
        let asked = try await deployment.request(
            "POST", "/appointments", body: Self.body,
            headers: [("Content-Type", "application/json"), ("Idempotency-Key", "order-1")])
        #expect(asked.status == 201, "\(asked.body) \(deployment.appointment.log)")
        let id = try #require(asked.body["appointmentId"]?.text.flatMap { AppointmentID($0) })
        #expect(asked.headers["Location"]?.elements == [.string("/appointments/00123/\(id)")])
        let again = try await deployment.request(
            "POST", "/appointments", body: Self.body,
            headers: [("content-type", "application/json"), ("idempotency-key", "order-1")])
        #expect(again.status == 201 && again.body["appointmentId"] == asked.body["appointmentId"])
        #expect(again.headers["Idempotent-Replayed"]?.elements == [.string("true")])

        let triggers = Triggers(deployment)
        try await settle(deployment, triggers, count: 1)
        // What one appointment costs when nothing else goes on, as docs/aws.md says; a person's first, and a start of
        // each function, included. One of the writes is the ledger's identity.
        let units = try proxy.units()
        #expect(units.writes["events"] == 5)
        #expect(units.allReads <= 32 && units.allWrites <= 22, "\(units)")
        try await expectCompleted(id, deployment)
        #expect(triggers.stream.givenUp.isEmpty && triggers.mirror.givenUp.isEmpty)

        let shown = try await deployment.request("GET", "/appointments/00123", query: [("status", "completed")])
        #expect(shown.status == 200)
        #expect(shown.body["appointments"]?.elements.first?["appointmentId"] == asked.body["appointmentId"])
        let history = try await deployment.request("GET", "/appointments/00123/\(id)/events")
        #expect(history.body["events"]?.elements.count == 4)
        #expect(try await deployment.request("GET", "/health/ready").status == 200)
        #expect(try await deployment.request("GET", "/nowhere").body["error"]?["errorCode"]?.text == "ROUTE_NOT_FOUND")
        let refused = try await deployment.request("POST", "/appointments", body: "{")
        #expect(refused.status == 400 || refused.status == 415)
        // The functions' logs name no one.
        for host in [deployment.appointment, deployment.country, deployment.mirror] {
            let said = (host.log + host.output).replacing(#/[0-9a-f-]{36}|[0-9]{6,}/#, with: " ")
            #expect(!said.contains("00123"))
            #expect(host.starts == 1)
        }
        #expect(deployment.mirror.output.contains(#""MirrorLagMilliseconds":"#))
    }

    /// Asks for some appointments; as a client does who repeats what got no answer.
    private func ask(_ count: Int, _ deployment: Deployment) async throws -> [AppointmentID] {
        var ids: [AppointmentID] = []
        for number in 0..<count {
            let body = #"{"insuredId":"0020\#(number)","scheduleId":\#(100 + number),"countryISO":"PE"}"#
            while true {
                let asked = try await deployment.request(
                    "POST", "/appointments", body: body,
                    headers: [("Content-Type", "application/json"), ("Idempotency-Key", "order-\(number)")])
                if asked.status == 503 { continue }
                #expect(asked.status == 201)
                ids.append(try #require(asked.body["appointmentId"]?.text.flatMap { AppointmentID($0) }))
                break
            }
        }
        return ids
    }

    @Test(
        "records twice and out of order, messages twice and shuffled, a mirror killed in mid-batch: the end is the same"
    )
    func disorder() async throws {
        let deployment = try await Deployment()
        try await PostgresCountryDatabase(try deployment.peru.pool, .peru).add(try Self.slots(4))
        let triggers = Triggers(deployment)
        let ids = try await ask(4, deployment)
        try await deployment.mirror.waitUntilIdle()
        let killed = deployment.mirror.starts
        // Each batch takes a while, so that it is in the middle of one.
        try await deployment.mirrorDatabase.pool.use { session in
            try session.run(
                """
                CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS
                    'BEGIN PERFORM pg_sleep(3); RETURN NULL; END';
                GRANT EXECUTE ON FUNCTION public.dawdle() TO PUBLIC;
                CREATE TRIGGER dawdle BEFORE INSERT ON ledger.entries
                    FOR EACH STATEMENT EXECUTE FUNCTION public.dawdle()
                """)
        }
        _ = try await triggers.mirror.poll(
            { ($0 + $0).shuffled() },
            disturb: { program in
                program.signal(SIGKILL)
                try await program.waitForExit()
                try await deployment.mirrorDatabase.pool.use { try $0.run("DROP TRIGGER dawdle ON ledger.entries") }
            })
        #expect(deployment.mirror.starts == killed + 1)
        #expect(triggers.mirror.invocations.count > 1)
        for _ in 0..<40 {
            var moved = try await triggers.stream.poll { ($0 + $0).shuffled() }
            moved += try await triggers.mirror.poll { ($0 + $0).shuffled() }
            for queue in triggers.queues { moved += try await queue.poll(deliveries: 2).received }
            if moved == 0, try await rows(deployment).allSatisfy({ $0.status == .completed }) { break }
        }
        for id in ids { try await expectCompleted(id, deployment) }
        let mirror = PostgresMirror(try deployment.mirrorDatabase.pool)
        #expect(try await mirror.state().position == 16)
        #expect(try await mirror.conflictCount() == 0)
        try await deployment.expectVerified()
        // Yesterday's deliveries, after all is done: each message is handled, and changes nothing.
        let events = try await deployment.store.count()
        for (id, schedule) in zip(ids, 100...) {
            let content = #"""
                {"eventType":"AppointmentRequested","appointmentId":"\#(id)","scheduleId":\#(schedule),\#
                "countryISO":"PE",\#
                "timestamp":"2026-11-24T07:10:53.123Z","correlationId":"c"}
                """#
            let late = JSONValue.object([
                ("MessageId", .string("late-\(id)")), ("ReceiptHandle", .string("old")), ("Body", .string(content)),
            ])
            let outcome = try await deployment.country.invoke(QueuePoller.event([late], "appointments-pe"))
            guard case .answered(let answer) = outcome, answer["batchItemFailures"]?.elements.isEmpty == true else {
                Issue.record("a late message failed: \(outcome)")
                continue
            }
        }
        #expect(try await deployment.store.count() == events)
    }

    @Test("in bad weather nothing is lost, and AWS is called less than three times as often as in good weather")
    func weather() async throws {
        var calls: [Int] = []
        for isBad in [false, true] {
            let proxy = WireProxy(to: Emulator.port) { request in
                guard isBad else { return .forward }
                return switch request.number % 14 {
                case 2: .throttle
                case 4: .refuse("ExpiredTokenException")
                case 6: .failAfterWrite
                case 8: .cutAfterWrite
                case 10: .refuse("ServiceUnavailable", status: 503)
                case 12: .slow(milliseconds: 50, .forward)
                default: .forward
                }
            }
            let deployment = try await Deployment(through: proxy)
            try await PostgresCountryDatabase(try deployment.peru.pool, .peru).add(try Self.slots(3))
            let ids = try await ask(3, deployment)
            try await settle(deployment, Triggers(deployment), count: 3)
            for id in ids { try await expectCompleted(id, deployment) }
            calls.append(proxy.requests.count)
            try await deployment.expectVerified()
        }
        #expect(calls[1] < 3 * calls[0], "\(calls[0]) calls in good weather, \(calls[1]) in bad")
    }

    @Test("a record that can't be read is found by halving and given up alone, and its neighbours go on")
    func poison() async throws {
        let deployment = try await Deployment()
        try await PostgresCountryDatabase(try deployment.peru.pool, .peru).add(try Self.slots(5))
        let ids = try await ask(5, deployment)
        let stream = ChangePoller(
            deployment.appointment, deployment.client, table: deployment.names.tables.events, maximumRetries: 6)
        var poisoned = ""
        _ = try await stream.poll { records in
            var records = records
            poisoned = records[2]["dynamodb"]?["SequenceNumber"]?.text ?? ""
            records[2] = .object([
                ("eventName", .string("INSERT")), ("eventSource", .string("aws:dynamodb")),
                ("dynamodb", .object([("SequenceNumber", .string(poisoned)), ("Keys", .object([]))])),
            ])
            return records
        }
        #expect(stream.givenUp == [ChangePoller.GivenUp(first: poisoned, last: poisoned, count: 1)])
        let routed = try await ids.versions(in: deployment.store)
        #expect(routed.sorted() == [1, 2, 2, 2, 2])
        // What the function says is the lowest number that failed: the good ones before it are not repeated.
        #expect(stream.invocations.dropFirst().allSatisfy { $0.first == poisoned || !$0.contains(poisoned) })
    }

    @Test("an item that is no event raises the alarm once, and the records around it are taken in")
    func foreign() async throws {
        let deployment = try await Deployment()
        let ids = try await ask(1, deployment)
        _ = try await deployment.client.call(.dynamoDB, "PutItem") { writer in
            writer.member("TableName", deployment.names.tables.events)
            writer.member("Item") { writer in
                writer.object {
                    $0.attribute("streamId", text: "note-1")
                    $0.attribute("version", number: 1)
                }
            }
        }
        let later = try await ask(2, deployment)
        let stream = ChangePoller(deployment.appointment, deployment.client, table: deployment.names.tables.events)
        _ = try await stream.poll()
        #expect(stream.invocations.count == 1 && stream.givenUp.isEmpty)
        #expect(try await (ids + later).versions(in: deployment.store).allSatisfy { $0 == 2 })
        #expect(deployment.appointment.output.contains(#""TamperedEvents":1"#))
        #expect(
            try await deployment.views.parked(by: TamperAlarm.projection).map(\.appointment) == [TamperAlarm.nobody])
    }

    @Test("a changed event raises the alarm: in the log, among the parked, and as a metric")
    func tampering() async throws {
        let deployment = try await Deployment()
        let ids = try await ask(1, deployment)
        let stream = ChangePoller(deployment.appointment, deployment.client, table: deployment.names.tables.events)
        _ = try await stream.poll()
        _ = try await deployment.client.call(.dynamoDB, "UpdateItem") { writer in
            writer.member("TableName", deployment.names.tables.events)
            writer.member("Key") { writer in
                writer.object {
                    $0.attribute("streamId", text: ids[0].stream.description)
                    $0.attribute("version", number: 1)
                }
            }
            writer.member("UpdateExpression", "SET countryISO = :c")
            writer.member("ExpressionAttributeValues") { writer in
                writer.object { $0.attribute(":c", text: "CL") }
            }
        }
        _ = try await stream.poll()
        #expect(deployment.appointment.output.contains(#""TamperedEvents":1"#))
        #expect(deployment.appointment.log.contains(#""level":"CRITICAL""#))
        let signs = try await deployment.views.parked(by: TamperAlarm.projection)
        #expect(signs.map(\.appointment) == ids)
    }

    @Test("an event that contradicts the mirror raises the alarm: in the log and as a metric")
    func conflict() async throws {
        let deployment = try await Deployment()
        let ids = try await ask(3, deployment)
        let forger = MemoryEventStore()
        let forged = try await forger.append(
            [
                NewEvent(
                    type: "requested", schema: 1, id: Identifier(high: 0x7000, low: 1 << 63),
                    at: Timestamp(milliseconds: 0),
                    country: "PE", actor: "forger", correlation: "c", causation: nil, data: Array("{}".utf8))
            ], to: ids[0].stream, expecting: .empty)
        let mirror = PostgresMirror(try deployment.mirrorDatabase.pool)
        // Between two of the ledger's own: one that begins or ends with a forged event is not the ledger's mirror.
        let (before, after) = (
            try await deployment.store.read(ids[1].stream), try await deployment.store.read(ids[2].stream)
        )
        try await MirrorRunner(
            feed: nil, store: forger, mirror: mirror,
            people: PersonResolver(
                directory: MemorySubjectDirectory(), keys: try KeyRing(master: Array(repeating: 1, count: 32)))
        ).take(in: before + forged + after, now: Timestamp(milliseconds: 0))
        _ = try await Triggers(deployment).mirror.poll()
        #expect(deployment.mirror.output.contains(#""MirrorConflicts":1"#))
        #expect(deployment.mirror.log.contains(#""level":"ERROR""#))
        #expect(try await mirror.conflictCount() == 1)
    }

    @Test("the schedule sends round what stands still, and counts what stands for good")
    func sweep() async throws {
        let deployment = try await Deployment()
        let schedule = #"{"source":"aws.events","detail-type":"Scheduled Event","detail":{},"resources":[]}"#
        guard case .answered = try await deployment.appointment.invoke(schedule) else {
            Issue.record("it did not sweep: \(deployment.appointment.log)")
            return
        }
        #expect(deployment.appointment.output.contains(#""StuckAppointments":0"#))
    }
}

extension [AppointmentID] {
    /// The versions of these appointments.
    fileprivate func versions(in store: DynamoDBEventStore) async throws -> [Int] {
        var versions: [Int] = []
        for id in self { versions.append(try await store.read(id.stream).count) }
        return versions
    }
}
