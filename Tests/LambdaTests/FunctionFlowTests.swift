import Appointments
import EventStore
import Foundation
import Handlers
import PostgresEngine
import Projections
import TestAWS
import TestPostgres
import Testing

@testable import AWSEngine

/// The whole flow with the real program as every function: API Gateway's requests, the change stream, topics, queues and
/// the bus of the emulator, the country's slots and the mirror in PostgreSQL.
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
        let stream: StreamPoller
        let mirror: StreamPoller
        let queues: [QueuePoller]

        init(_ deployment: Deployment) {
            let (client, names) = (deployment.client, deployment.names)
            stream = StreamPoller(deployment.appointment, client, table: names.tables.events)
            mirror = StreamPoller(deployment.mirror, client, table: names.tables.events, batch: 500)
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
    private func settle(_ deployment: Deployment, _ triggers: Triggers, count: Int, rounds: Int = 60) async throws {
        for _ in 0..<rounds {
            let moved = try await triggers.round()
            let done = try await rows(deployment).filter { $0.status == .completed || $0.status == .failed }.count
            if done == count, moved == 0 { return }
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

    @Test("A request goes through all four functions to its end, and every answer is the API's")
    func flow() async throws {
        let deployment = try await Deployment()
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
            #expect(!host.log.contains("00123") && !host.output.contains("00123"))
            #expect(host.starts == 1)
        }
        #expect(deployment.mirror.output.contains(#""MirrorLagMilliseconds":"#))
    }
}
