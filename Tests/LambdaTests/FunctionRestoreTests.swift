import Appointments
import EventStore
import Foundation
import Handlers
import PostgresEngine
import Projections
import TestAWS
import TestPostgres
import TestPrograms
import Testing

@testable import AWSEngine

/// The functions after the table of events was put back to an older copy.
@Suite(
    .serialized, .enabled(if: Emulator.isThere && TestCluster.isThere, "scripts/test.sh starts what this needs"),
    .dropsDatabases)
struct FunctionRestoreTests {
    private static func body(_ number: Int) -> String {
        #"{"insuredId":"0030\#(number)","scheduleId":\#(100 + number),"countryISO":"PE"}"#
    }

    private static func slots() throws -> [Slot] {
        try (0..<4).map { number in
            Slot(
                schedule: try #require(ScheduleID(100 + number)), center: 1, specialty: 1, medic: 1 + number,
                date: try #require(Timestamp("2046-11-26T15:00:00Z")))
        }
    }

    private func ask(_ number: Int, _ deployment: Deployment) async throws -> AppointmentID {
        let asked = try await deployment.request(
            "POST", "/appointments", body: Self.body(number), headers: [("Content-Type", "application/json")])
        #expect(asked.status == 201, "\(asked.body) \(deployment.appointment.log)")
        return try #require(asked.body["appointmentId"]?.text.flatMap { AppointmentID($0) })
    }

    /// Brings events and messages to the functions until an appointment has come to its end.
    private func settle(_ id: AppointmentID, _ deployment: Deployment, _ stream: ChangePoller) async throws {
        let queues = [("appointments-pe", deployment.country), ("appointments-completion", deployment.appointment)]
        let end = ContinuousClock.now + .seconds(120)
        while try await deployment.views.row(id)?.status != .completed {
            try #require(ContinuousClock.now < end, "\(deployment.appointment.log)\(deployment.country.log)")
            var moved = try await stream.poll()
            for (queue, host) in queues {
                moved += try await QueuePoller(host: host, client: deployment.client, queue: queue).poll().received
            }
            if moved == 0 { try await Task.sleep(for: .milliseconds(50)) }
        }
    }

    /// Ends the processes, so that the next invocations find the tables as they are then.
    private func end(_ hosts: [LambdaHost]) async throws {
        for host in hosts {
            let program = try host.program()
            program.signal(SIGKILL)
            try await program.waitForExit()
        }
    }

    private func remove(_ id: AppointmentID, _ deployment: Deployment) async throws {
        for version in 1...4 {
            _ = try await deployment.store.table.call("DeleteItem") { writer in
                writer.member("Key") { writer in
                    writer.object {
                        $0.attribute("streamId", text: id.stream.description)
                        $0.attribute("version", number: version)
                    }
                }
            }
        }
    }

    private func operate(_ deployment: Deployment, _ words: String...) async throws {
        let program = try RunningProgram(
            path: RunningProgram.url(of: "ledger").path, words + ["--engine", "aws"],
            environment: deployment.environment)
        #expect(try await program.waitForExit() == 0, "\(words): \(program.output)\(program.errors)")
    }

    @Test("functions that find the events put back answer nothing from the mirror and claim no slot, until it is said")
    func putBack() async throws {
        let deployment = try await Deployment()
        try await PostgresCountryDatabase(try deployment.peru.pool, .peru).add(try Self.slots())
        let identity = DynamoDBIdentity(deployment.client, tables: deployment.names.tables)
        let mirror = PostgresMirror(try deployment.mirrorDatabase.pool)
        let stream = ChangePoller(deployment.appointment, deployment.client, table: "events")
        let mirroring = ChangePoller(deployment.mirror, deployment.client, table: "events", maximumRetries: 1)
        let first = try await ask(0, deployment)
        try await settle(first, deployment, stream)
        while try await mirroring.poll() > 0 {}
        let ours = try #require(try await identity.stored())
        #expect(ours.epoch == 1)
        #expect(try await mirror.state() == MirrorState(position: 4, checkpoint: 4, owner: ours))
        let country = PostgresCountryDatabase(try deployment.peru.pool, .peru)
        #expect(try await country.belonging().owner == ours)
        let audit = Deployment.event("GET", "/audit/events", [], nil, [("X-Api-Key", deployment.apiKey)])
        guard case .answered(let shown) = try await deployment.mirror.invoke(audit) else {
            throw EventStoreError(.unavailable, message: "no answer: \(deployment.mirror.log)")
        }
        #expect(shown["statusCode"]?.whole == 200, "\(shown)")

        try await remove(first, deployment)
        try await end([deployment.appointment, deployment.country, deployment.mirror])
        let second = try await ask(1, deployment)
        #expect(deployment.appointment.log.contains("the ledger was put back to an older copy"))
        #expect(try await identity.stored() == ours.next)
        guard case .answered(let refused) = try await deployment.mirror.invoke(audit) else {
            throw EventStoreError(.unavailable, message: "no answer: \(deployment.mirror.log)")
        }
        #expect(refused["statusCode"]?.whole == 503, "\(refused)")
        let accesses = try await deployment.mirrorDatabase.pool.use { session in
            try session.row("SELECT count(*) FROM ledger.audit_access") { try $0.int(0) }
        }
        #expect(accesses == 1)
        _ = try await stream.poll()
        _ = try await mirroring.poll()
        #expect(!mirroring.givenUp.isEmpty)
        #expect(try await mirror.state() == MirrorState(position: 4, checkpoint: 4, owner: ours))
        let peru = QueuePoller(host: deployment.country, client: deployment.client, queue: "appointments-pe")
        var waiting = try await peru.poll()
        while waiting.received == 0 { waiting = try await peru.poll() }
        #expect(waiting.failed == waiting.received)
        #expect(try await country.schedules(after: nil, limit: 9).compactMap(\.holder) == [first])

        try await operate(deployment, "mirror", "rewind", "--yes")
        try await operate(deployment, "countries", "adopt", "--country", "PE", "--yes")
        try await settle(second, deployment, stream)
        try await operate(deployment, "mirror", "backfill")
        #expect(try await mirror.state() == MirrorState(position: 4, checkpoint: 4, owner: ours.next))
        try await operate(deployment, "mirror", "status")
    }
}
