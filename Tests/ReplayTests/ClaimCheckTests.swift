import Appointments
import EventStore
import PostgresEngine
import Replay
import TestEngines
import TestPostgres
import Testing

/// Ledger and countries' databases, compared and brought in line.
@Suite("The comparison of claims with the ledger", .dropsDatabases)
struct ClaimCheckTests {
    /// An hour after the samples' events: nothing of them is under way.
    private static let later = Samples.noon.adding(milliseconds: 3_600_000)
    private static let morning = Samples.noon.adding(milliseconds: -7_200_000)

    private func slot(_ number: Int64, minutes: Int64 = 0) throws -> Slot {
        try Samples.slot(number, at: Samples.noon.adding(milliseconds: minutes * 60_000))
    }

    private func event(_ event: AppointmentEvent, _ number: Int, _ version: Int, at: Timestamp) throws -> NewEvent {
        let stream = Samples.appointment(number).stream
        return NewEvent(
            event, id: Samples.id(number * 10 + version),
            context: EventContext(
                at: at, country: .peru, actor: "test", correlation: "c", causation: nil),
            personal: version == 1 ? [try sealed(number, stream)] : [])
    }

    /// The person of an appointment: one for each, and one for all those from 100 on.
    private func person(_ number: Int) -> Identifier { Samples.id(min(number, 100)) }

    private func sealed(_ number: Int, _ stream: StreamID) throws -> SealedField {
        try SealedField(
            "00123", field: "insured",
            key: SubjectKey(subject: person(number), number: 1, bytes: Array(repeating: 9, count: 32)), stream: stream,
            version: 1, type: "requested", nonce: Array(repeating: 3, count: 12))
    }

    /// An appointment that asked for a slot and, where it is given, was processed with one, and has failed.
    private func record(
        _ number: Int, asks schedule: Int64, booked slot: Slot? = nil, fails: Timestamp? = nil, in engine: TestEngine
    ) async throws {
        var events: [AppointmentEvent] = [
            .requested(Requested(schedule: try Samples.schedule(schedule), country: .peru)),
            .routed(Routed(topic: "appointments-pe")),
        ]
        if let slot { events.append(.countryProcessed(CountryProcessed(slot: slot, booking: Samples.id(number)))) }
        if fails != nil { events.append(.failed(Failed(reason: .processingExhausted, stage: .operator, message: "m"))) }
        let stream = Samples.appointment(number).stream
        for (index, event) in events.enumerated() {
            let at = index + 1 == events.count ? fails ?? Self.morning : Self.morning
            _ = try await engine.store.append(
                [try self.event(event, number, index + 1, at: at)], to: stream,
                expecting: index == 0 ? .empty : .version(index))
        }
    }

    private func claim(_ number: Int, _ schedule: Int64, in engine: TestEngine) async throws {
        let result = try await engine.country(.peru).claim(
            SlotClaim(
                appointment: Samples.appointment(number), schedule: try Samples.schedule(schedule), country: .peru,
                subject: person(number), now: Self.morning))
        guard case .held = result else {
            Issue.record("slot \(schedule) is free")
            return
        }
    }

    private func check(_ engine: TestEngine) -> ClaimCheck {
        ClaimCheck(
            scan: engine.scan, store: engine.store, countries: engine.countries, rangeEvents: 5, now: { Self.later })
    }

    private func kinds(_ report: ClaimCheck.Report) -> [String: Int64] {
        Dictionary(
            report.report.findings.map { ($0.kind.rawValue, Int64(($0.stream?.id.low ?? 0) & 0xFFFF)) },
            uniquingKeysWith: { $0 + $1 })
    }

    @Test("what agrees, and what is under way, is no finding", arguments: Engine.ofCountries)
    func agrees(engine: Engine) async throws {
        let engine = try await engine.make()
        try await engine.country(.peru).add((1...6).map { try slot($0) })
        // Booked; asked for, and claimed just now or not; failed without a slot; failed just now.
        try await record(1, asks: 1, booked: slot(1), in: engine)
        for number in [1, 2, 5] { try await claim(number, Int64(number), in: engine) }
        try await record(2, asks: 2, in: engine)
        try await record(3, asks: 3, in: engine)
        try await record(4, asks: 1, fails: Self.morning, in: engine)
        try await record(5, asks: 5, fails: Self.later.adding(milliseconds: -60_000), in: engine)
        let report = try await check(engine).run()
        #expect(report.report.isClean, "\(report.report.findings)")
        #expect(report.claims == 3 && report.underWay == 1 && report.away.isEmpty)
    }

    @Test("whatever differs is named, each by its kind", arguments: Engine.ofCountries)
    func differs(engine: Engine) async throws {
        let engine = try await engine.make()
        try await engine.country(.peru).add((1...9).map { try slot($0) } + [slot(10, minutes: 10)])
        for number in [1, 2, 3, 4] { try await claim(number, Int64(number), in: engine) }
        // 1 is unknown; 2 has failed; 3 holds another slot than it was booked; 4 is whole, and 5 and 6 have its slot
        // and none; 100 and 101 are one person at one time.
        try await record(2, asks: 2, fails: Self.morning, in: engine)
        try await record(3, asks: 9, booked: slot(9), in: engine)
        try await record(4, asks: 4, booked: slot(4), in: engine)
        try await record(5, asks: 4, booked: slot(4), in: engine)
        try await record(6, asks: 6, booked: slot(6), in: engine)
        try await claim(100, 8, in: engine)
        try await record(100, asks: 8, booked: slot(8), in: engine)
        try await record(101, asks: 10, booked: slot(10, minutes: 10), in: engine)
        let report = try await check(engine).run()
        #expect(
            kinds(report) == [
                "claim-unexplained": 1, "claim-of-failed": 2, "claim-differs": 3, "claim-missing": 5 + 6 + 101,
                "slot-twice": 4, "person-twice": 100,
            ])
        let repair = ClaimRepair(check(engine))
        let steps = try await repair.plan(for: report)
        let actions = Dictionary(grouping: steps, by: \.action).mapValues(\.count)
        #expect(actions == [.giveBack: 2, .putBack: 2, .none: 4])
        let taken = try #require(steps.first { $0.finding.stream == Samples.appointment(5).stream })
        #expect(taken.action == .none && taken.otherHistory?.contains("country-processed") == true)
        // 101 is the person of 100, who is somewhere else at that time.
        let outcome = try await repair.carryOut(steps)
        #expect(outcome.mended == 3 && outcome.left.map(\.stream) == [Samples.appointment(101).stream])
        let after = try await check(engine).run()
        #expect(
            kinds(after) == ["claim-differs": 3, "claim-missing": 5 + 101, "slot-twice": 4, "person-twice": 100])
        let held = try await engine.country(.peru).claims(after: nil, limit: 99).map(\.schedule.number)
        #expect(Set(held) == [3, 4, 6, 8])
    }

    @Test("what somebody does between the comparison and the repair counts", arguments: Engine.ofCountries)
    func meanwhile(engine: Engine) async throws {
        let engine = try await engine.make()
        try await engine.country(.peru).add([slot(1)])
        try await claim(1, 1, in: engine)
        let repair = ClaimRepair(check(engine))
        let steps = try await repair.plan(for: try await check(engine).run())
        #expect(steps.map(\.action) == [.giveBack])
        try await record(1, asks: 1, booked: slot(1), in: engine)
        #expect(try await repair.carryOut(steps).mended == 0)
        #expect(try await engine.country(.peru).claims(after: nil, limit: 9).count == 1)
    }

    @Test("of a database that does not answer nothing is said, and of the others all")
    func away() async throws {
        let engine = try await Engine.memory.make()
        try await engine.country(.chile).add([slot(1)])
        _ = try await engine.country(.chile).claim(
            SlotClaim(
                appointment: Samples.appointment(1), schedule: try Samples.schedule(1), country: .chile,
                subject: Samples.id(1), now: Self.morning))
        let nowhere = PostgresPool(
            try TestDatabase(name: "none", directory: "/nowhere").settings(), size: 1, random: TestCluster.random)
        let report = try await ClaimCheck(
            scan: engine.scan, store: engine.store,
            countries: [.peru: PostgresCountryDatabase(nowhere, .peru), .chile: try engine.country(.chile)],
            now: { Self.later }
        ).run()
        #expect(report.away == [.peru])
        #expect(kinds(report) == ["claim-unexplained": 1])
    }
}
