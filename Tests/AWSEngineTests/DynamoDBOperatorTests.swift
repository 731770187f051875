import Appointments
import EventStore
import Projections
import Replay
import TestAWS
import TestEngines
import Testing

@testable import AWSEngine

/// The operator's tools over DynamoDB, wired as the program wires them.
@Suite("The operator's tools on DynamoDB", .enabled(if: Emulator.isThere, Comment(rawValue: Emulator.reason)))
struct DynamoDBOperatorTests {
    private let now = Samples.noon

    private struct Ledger {
        let client: AWSClient
        let engine: TestEngine
        let history: RandomHistory
        let log: DynamoDBScan

        init(streams: Int, seed: UInt64) async throws {
            client = try Emulator.client()
            engine = try await .aws(clock: HandClock(), client)
            history = try await RandomHistory.write(to: engine, streams: streams, seed: seed)
            log = DynamoDBScan(client, tables: .init())
            let rebuild = Rebuild(scan: log, feed: log, sets: engine.sets, people: engine.people)
            try await rebuild.build(ViewCopy.next, now: Samples.noon)
            _ = try await rebuild.swap(ViewCopy.next, keepingAs: nil, coversAll: true, now: Samples.noon)
        }

        /// A verification, as one run makes it.
        func verify() -> Verify {
            let log = DynamoDBScan(client, tables: .init())
            return Verify(
                feed: log, scan: log, store: engine.store,
                views: DynamoDBOrderedViews(client, tables: .init()), people: engine.people, batch: 7)
        }

        func reconcile(_ body: (Reconcile.Difference) -> Void = { _ in }) async throws -> Reconcile.Report {
            try await Reconcile(
                scan: DynamoDBScan(client, tables: .init()),
                copies: [.init("view", DynamoDBOrderedViews(client, tables: .init()))], people: engine.people,
                rangeEvents: 5
            ).run { difference throws(EventStoreError) in body(difference) }
        }

        func delete(_ table: String, _ key: (inout JSONWriter) -> Void) async throws {
            _ = try await client.call(.dynamoDB, "DeleteItem") { writer in
                writer.member("TableName", table)
                writer.member("Key") { $0.object(key) }
            }
        }

        /// Changes one attribute of an event behind everybody's back.
        func change(_ stream: StreamID, version: Int, _ name: String, to bytes: [UInt8]) async throws {
            _ = try await client.call(.dynamoDB, "UpdateItem") { writer in
                writer.member("TableName", "events")
                writer.member("Key") { writer in
                    writer.object {
                        $0.attribute("streamId", text: stream.description)
                        $0.attribute("version", number: version)
                    }
                }
                writer.member("UpdateExpression", "SET #n = :bytes")
                writer.member("ExpressionAttributeNames") { writer in writer.object { $0.member("#n", name) } }
                writer.member("ExpressionAttributeValues") { writer in
                    writer.object { $0.attribute(":bytes", bytes: bytes) }
                }
            }
        }
    }

    @Test("a whole ledger verifies and reconciles; damaged rows of every kind are named, and mended")
    func rows() async throws {
        let ledger = try await Ledger(streams: 12, seed: 51)
        let clean = try await ledger.verify().run()
        #expect(clean.findings.isEmpty)
        #expect((clean.events, clean.streams, clean.rows) == (ledger.history.events, 12, 12))
        let digest = try await ledger.reconcile().digest
        let rows = ledger.history.rows
        var changed = rows[0]
        (changed.status, changed.version) = (.failed, changed.version + 50)
        let stray = try Samples.row(999)
        try await ledger.engine.projections.put([changed, stray], parking: [], by: ProjectionRunner.projection)
        try await ledger.delete("appointments") { $0.attribute("appointmentId", text: rows[1].appointment.description) }
        _ = try await ledger.client.call(.dynamoDB, "PutItem") { writer in
            writer.member("TableName", "appointments")
            writer.member("Item") { writer in
                writer.object { $0.attribute("appointmentId", text: rows[2].appointment.description) }
            }
        }
        let found = try await ledger.verify().run()
        let kinds = Dictionary(found.findings.map { ($0.stream, $0.kind) }) { first, _ in first }
        #expect(
            kinds == [
                rows[0].appointment.stream: .rowDiffers, rows[1].appointment.stream: .rowMissing,
                rows[2].appointment.stream: .rowUnreadable, stray.appointment.stream: .rowWithoutEvents,
            ])
        let repair = Repair(
            feed: nil, store: ledger.engine.store, checkpoints: ledger.engine.projections,
            control: ledger.engine.control, sets: ledger.engine.sets, people: ledger.engine.people)
        let plan = try await repair.plan(for: found)
        #expect((plan.behind, plan.count(.refold), plan.count(.remove)) == (0, 3, 1))
        let outcome = try await repair.carryOut(plan, now: now)
        #expect(outcome.mended == 4 && outcome.failures.isEmpty)
        #expect(try await ledger.verify().run().isClean)
        let report = try await ledger.reconcile()
        #expect((report.differences, report.appointments, report.digest) == (0, 12, digest))
    }

    @Test(
        "half a slot, half a failure, a version of another type and ids that are none are named, and mended",
        arguments: [
            (#"{"centerId":{"N":"5"}}"#, 0), (#"{"failureMessage":{"S":"x"}}"#, 0),
            (#"{"failureReason":{"S":"SLOT_TAKEN"}}"#, 0), (#"{"version":{"S":"x"}}"#, 0),
            (#"{"appointmentId":{"S":"x"}}"#, 1),
            (#"{"appointmentId":{"S":"0000000A-0000-7000-8000-000000000001"}}"#, 1),
        ])
    func halfRows(attributes: String, removed: Int) async throws {
        let ledger = try await Ledger(streams: 6, seed: 56)
        let id = try #require(ledger.history.rows.first { $0.slot == nil && $0.failure == nil }).appointment
        let key: JSONValue = .object([("appointmentId", .object([("S", .string(id.description))]))])
        let item = try #require(
            try await ledger.client.call(.dynamoDB, "GetItem") { writer in
                writer.member("TableName", "appointments")
                writer.member("Key") { $0.value(key) }
            }["Item"])
        guard case .object(let members) = item, case .object(let others) = try JSONValue(Array(attributes.utf8)) else {
            throw EventStoreError(.corrupt, message: "no item")
        }
        let changed = members.filter { member in !others.contains { $0.key == member.key } } + others
        _ = try await ledger.client.call(.dynamoDB, "PutItem") { writer in
            writer.member("TableName", "appointments")
            writer.member("Item") { $0.value(.object(changed)) }
        }
        let found = try await ledger.verify().run()
        #expect(found.findings.map(\.kind) == [.rowUnreadable])
        let repair = Repair(
            feed: nil, store: ledger.engine.store, checkpoints: ledger.engine.projections,
            control: ledger.engine.control, sets: ledger.engine.sets, people: ledger.engine.people)
        let plan = try await repair.plan(for: found)
        #expect((plan.count(.refold), plan.count(.remove)) == (1 - removed, removed))
        #expect(try await repair.carryOut(plan, now: now).mended == 1)
        #expect(try await ledger.verify().run().isClean)
    }

    @Test("reconciliation names the appointments whose rows are not what the events make")
    func reconciled() async throws {
        let ledger = try await Ledger(streams: 9, seed: 52)
        let rows = ledger.history.rows
        var changed = rows[3]
        changed.status = .failed
        changed.version += 1
        try await ledger.engine.projections.put([changed], parking: [], by: ProjectionRunner.projection)
        try await ledger.delete("appointments") { $0.attribute("appointmentId", text: rows[5].appointment.description) }
        var named: [AppointmentID] = []
        let report = try await ledger.reconcile { named.append($0.appointment) }
        #expect(named == [rows[3].appointment, rows[5].appointment])
        #expect((report.differences, report.appointments) == (2, 9))
    }

    @Test("an event that was changed, one that was taken away, and a last one that is gone are all found")
    func events() async throws {
        let ledger = try await Ledger(streams: 12, seed: 53)
        let long = ledger.history.rows.filter { $0.version >= 3 }.map(\.appointment.stream)
        try #require(long.count >= 3)
        try await ledger.change(long[0], version: 2, "leaf", to: Hash(of: [1]).bytes)
        for (stream, version) in [(long[1], 2), (long[2], try await ledger.engine.store.read(long[2]).count)] {
            try await ledger.delete("events") {
                $0.attribute("streamId", text: stream.description)
                $0.attribute("version", number: version)
            }
        }
        let report = try await ledger.verify().run()
        let findings = report.findings
        #expect(findings.contains { $0.kind == .entryUnreadable && $0.message.contains("version 2 of \(long[0])") })
        #expect(findings.contains { $0.kind == .versionGap && $0.stream == long[1] && $0.version == 3 })
        #expect(findings.contains { $0.kind == .rowDiffers && $0.stream == long[2] })
        #expect(try await ledger.verify().sample(12, random: { Int.random(in: $0) }).isClean == false)
    }

    @Test("an item that is no event is named by verify, and nobody else trips over it")
    func foreign() async throws {
        let ledger = try await Ledger(streams: 6, seed: 56)
        for key in ["note-1", "appointment-nobody"] {
            _ = try await ledger.client.call(.dynamoDB, "PutItem") { writer in
                writer.member("TableName", "events")
                writer.member("Item") { writer in
                    writer.object {
                        $0.attribute("streamId", text: key)
                        $0.attribute("version", number: 1)
                    }
                }
            }
        }
        let report = try await ledger.verify().run()
        #expect(report.findings.map(\.kind) == [.foreignItem])
        #expect(report.findings.first?.message.hasPrefix("2 items") == true)
        #expect((report.events, report.streams, report.rows) == (ledger.history.events, 6, 6))
        let log = DynamoDBScan(ledger.client, tables: .init())
        #expect(try await log.head() == ledger.history.events)
        #expect(try await ledger.reconcile().differences == 0)
        let audited = try await log.events(matching: EventFilter(), after: 0, limit: 1000)
        #expect(audited.count == ledger.history.events)
        let rebuild = Rebuild(scan: log, feed: log, sets: ledger.engine.sets, people: ledger.engine.people)
        try await rebuild.build(ViewCopy.next, now: now)
        _ = try await rebuild.swap(ViewCopy.next, keepingAs: nil, coversAll: true, now: now)
        let repair = Repair(
            feed: nil, store: ledger.engine.store, checkpoints: ledger.engine.projections,
            control: ledger.engine.control, sets: ledger.engine.sets, people: ledger.engine.people)
        #expect(try await repair.plan(for: report).count(.none) == 1)
    }

    @Test("positions keep an appointment's events in order whatever its clocks said, and pages give each event once")
    func positions() async throws {
        let engine = try await TestEngine.aws(clock: HandClock())
        let stream = Samples.appointment(1).stream
        func at(_ milliseconds: Int64) -> Timestamp { now.adding(milliseconds: milliseconds) }
        _ = try await engine.store.append([try Samples.requested(1, at: at(9))], to: stream, expecting: .empty)
        _ = try await engine.store.append([Samples.later(2, at: at(3))], to: stream, expecting: .version(1))
        for number in 2...9 {
            _ = try await engine.store.append(
                [try Samples.requested(number + 10, at: at(Int64(number)))],
                to: Samples.appointment(number).stream, expecting: .empty)
        }
        var (seen, after) = ([RecordedEvent](), 0)
        while case let page = try await engine.audit.events(matching: EventFilter(), after: after, limit: 3),
            let last = page.last?.position
        {
            seen += page
            after = last
        }
        #expect(seen.map(\.position) == Array(1...10))
        #expect(seen.map(\.entry.id) == ([12, 13, 14, 15, 16, 17, 18, 1, 2, 19]).map(Samples.id))
    }
}
