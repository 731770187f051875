import Appointments
import EventStore
import TestEngines
import TestPostgres
import Testing

@Suite("The contract of CountryDatabase", .dropsDatabases)
struct CountryDatabaseContract {
    /// Monday 2 March 2026, 12:00 in Lima: open in both countries.
    let noon = Timestamp(milliseconds: 1_772_470_800_000)
    private let monday = CivilDate(year: 2026, month: 3, day: 2)

    func at(_ hour: Int, _ minute: Int = 0) throws -> Timestamp {
        Country.peru.moment(of: try #require(monday), minute: hour * 60 + minute)
    }

    func claim(
        _ appointment: Int, _ schedule: Int64, subject: Int = 1, now: Timestamp? = nil, country: Country = .peru
    ) throws -> SlotClaim {
        SlotClaim(
            appointment: Samples.appointment(appointment), schedule: try Samples.schedule(schedule), country: country,
            subject: Samples.id(subject), now: try now ?? at(8))
    }

    @Test("PostgreSQL keeps the contract as well", .enabled(if: TestCluster.isThere, TestCluster.reason))
    func postgres() { #expect(Engine.ofCountries.contains(.postgres)) }

    @Test("a free slot is held by who claims it, and is listed so", arguments: Engine.ofCountries)
    func held(engine: Engine) async throws {
        let peru = try await engine.make().country(.peru)
        let slot = try Samples.slot(100, at: noon)
        try await peru.add([slot])
        #expect(
            try await peru.schedules(after: nil, limit: 10) == [ScheduleRow(slot: slot, country: .peru, holder: nil)])
        #expect(try await peru.claim(claim(1, 100)) == .held(slot))
        #expect(
            try await peru.schedules(after: nil, limit: 10)
                == [ScheduleRow(slot: slot, country: .peru, holder: Samples.appointment(1))])
    }

    @Test("each reason for a refusal is given", arguments: Engine.ofCountries)
    func reasons(engine: Engine) async throws {
        let peru = try await engine.make().country(.peru)
        try await peru.add([
            Samples.slot(100, at: noon), Samples.slot(101, at: at(7, 59)), Samples.slot(102, at: noon),
            Samples.slot(103, at: at(19, 31)),
        ])
        #expect(try await peru.claim(claim(1, 100)) == .held(Samples.slot(100, at: noon)))
        #expect(try await peru.claim(claim(2, 999)) == .refused(.scheduleNotFound))
        #expect(try await peru.claim(claim(3, 101)) == .refused(.slotInPast))
        #expect(try await peru.claim(claim(8, 101, now: at(7))) == .refused(.outsideOpeningHours))
        #expect(try await peru.claim(claim(4, 103)) == .refused(.outsideOpeningHours))
        #expect(try await peru.claim(claim(5, 100, subject: 2)) == .refused(.slotTaken))
        #expect(try await peru.claim(claim(6, 102)) == .refused(.alreadyBooked))
        #expect(try await peru.claim(claim(7, 102, subject: 2)) == .held(Samples.slot(102, at: noon)))
    }

    @Test("a slot that begins now is past", arguments: Engine.ofCountries)
    func beginsNow(engine: Engine) async throws {
        let peru = try await engine.make().country(.peru)
        try await peru.add([Samples.slot(100, at: noon)])
        #expect(try await peru.claim(claim(1, 100, now: noon)) == .refused(.slotInPast))
        #expect(
            try await peru.claim(claim(2, 100, now: noon.adding(milliseconds: -1)))
                == .held(Samples.slot(100, at: noon)))
    }

    @Test(
        "of several reasons the first counts: held by itself, past, closed, taken, already booked",
        arguments: Engine.ofCountries)
    func order(engine: Engine) async throws {
        let peru = try await engine.make().country(.peru)
        let closed = try Samples.slot(101, at: at(19, 45))
        try await peru.add([Samples.slot(100, at: noon), closed, Samples.slot(102, at: noon)])
        _ = try await peru.claim(claim(1, 100))
        _ = try await peru.claim(claim(2, 102, subject: 2))
        let late = try at(21)
        #expect(try await peru.claim(claim(1, 100, now: late)) == .held(Samples.slot(100, at: noon)))
        #expect(try await peru.claim(claim(3, 100, now: late)) == .refused(.slotInPast))
        #expect(try await peru.claim(claim(4, 101, now: late)) == .refused(.slotInPast))
        #expect(try await peru.claim(claim(5, 101)) == .refused(.outsideOpeningHours))
        #expect(try await peru.claim(claim(6, 102, subject: 1)) == .refused(.slotTaken))
    }

    @Test("claiming again what the appointment holds gives the same answer", arguments: Engine.ofCountries)
    func idempotent(engine: Engine) async throws {
        let peru = try await engine.make().country(.peru)
        let slot = try Samples.slot(100, at: noon)
        try await peru.add([slot])
        for _ in 0..<3 { #expect(try await peru.claim(claim(1, 100)) == .held(slot)) }
    }

    @Test("of a hundred claims at once one holds the slot", arguments: Engine.ofCountries)
    func race(engine: Engine) async throws {
        let peru = try await engine.make().country(.peru)
        let slot = try Samples.slot(100, at: noon)
        try await peru.add([slot])
        let claims = try (1...100).map { try claim($0, 100, subject: $0) }
        let results = try await withThrowingTaskGroup(of: ClaimResult.self) { group in
            for claim in claims { group.addTask { try await peru.claim(claim) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.count { $0 == .held(slot) } == 1)
        #expect(results.count { $0 == .refused(.slotTaken) } == 99)
    }

    @Test("of two claims of one person for overlapping slots at once one is held", arguments: Engine.ofCountries)
    func overlapRace(engine: Engine) async throws {
        let peru = try await engine.make().country(.peru)
        let numbers = Array(Int64(1)...20)
        try await peru.add(numbers.map { try Samples.slot($0, at: noon) })
        let claims = try numbers.map { try claim(Int($0), $0) }
        let results = try await withThrowingTaskGroup(of: ClaimResult.self) { group in
            for claim in claims { group.addTask { try await peru.claim(claim) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.count { $0 == .refused(.alreadyBooked) } == 19)
    }

    @Test("slots that touch do not overlap; those that share a minute do", arguments: Engine.ofCountries)
    func overlap(engine: Engine) async throws {
        let peru = try await engine.make().country(.peru)
        try await peru.add([
            Samples.slot(100, at: noon), Samples.slot(101, at: at(11, 30)), Samples.slot(102, at: at(12, 30)),
            Samples.slot(103, at: at(11, 31)), Samples.slot(104, at: at(12, 29)),
        ])
        _ = try await peru.claim(claim(1, 100))
        #expect(try await peru.claim(claim(2, 103)) == .refused(.alreadyBooked))
        #expect(try await peru.claim(claim(5, 104)) == .refused(.alreadyBooked))
        #expect(try await peru.claim(claim(6, 101)) == .held(Samples.slot(101, at: at(11, 30))))
        #expect(try await peru.claim(claim(3, 102)) == .held(Samples.slot(102, at: at(12, 30))))
    }

    @Test("a released slot is free for others, and the person for other slots", arguments: Engine.ofCountries)
    func release(engine: Engine) async throws {
        let peru = try await engine.make().country(.peru)
        let slot = try Samples.slot(100, at: noon)
        try await peru.add([slot, Samples.slot(101, at: noon)])
        _ = try await peru.claim(claim(1, 100))
        try await peru.release(Samples.appointment(9), at: at(9))
        #expect(try await peru.claim(claim(2, 100, subject: 2)) == .refused(.slotTaken))
        try await peru.release(Samples.appointment(1), at: at(9))
        try await peru.release(Samples.appointment(1), at: at(9))
        #expect(try await peru.claim(claim(4, 100, subject: 2)) == .held(slot))
        #expect(try await peru.claim(claim(3, 101)) == .held(Samples.slot(101, at: noon)))
    }

    @Test("what was refused or given back stays refused, however late a claim comes", arguments: Engine.ofCountries)
    func late(engine: Engine) async throws {
        let peru = try await engine.make().country(.peru)
        try await peru.add([Samples.slot(100, at: noon)])
        _ = try await peru.claim(claim(1, 100))
        #expect(try await peru.claim(claim(2, 100, subject: 2)) == .refused(.slotTaken))
        try await peru.release(Samples.appointment(1), at: at(9))
        // The slot is free again, and these are claims of workers that were thought dead.
        #expect(try await peru.claim(claim(1, 100)) == .refused(.processingExhausted))
        #expect(try await peru.claim(claim(2, 100, subject: 2)) == .refused(.slotTaken))
        try await peru.release(Samples.appointment(2), at: at(9))
        #expect(try await peru.claim(claim(2, 100, subject: 2)) == .refused(.slotTaken))
        // Given back before it was ever claimed.
        try await peru.release(Samples.appointment(3), at: at(9))
        #expect(try await peru.claim(claim(3, 100, subject: 3)) == .refused(.processingExhausted))
        #expect(try await peru.schedules(after: nil, limit: 1).first?.holder == nil)
    }

    @Test("of claim and return of one appointment at once neither leaves it held", arguments: Engine.ofCountries)
    func returnRace(engine: Engine) async throws {
        let peru = try await engine.make().country(.peru)
        let numbers = Array(Int64(1)...30)
        try await peru.add(numbers.map { try Samples.slot($0, at: noon) })
        let claims = try numbers.map { try claim(Int($0), $0, subject: Int($0)) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for claim in claims {
                group.addTask { _ = try await peru.claim(claim) }
                group.addTask { try await peru.release(claim.appointment, at: claim.now) }
            }
            try await group.waitForAll()
        }
        #expect(try await peru.schedules(after: nil, limit: 100).allSatisfy { $0.holder == nil })
    }

    @Test(
        "free slots are replaced; one that is held stays as it is, and nothing is added then",
        arguments: Engine.ofCountries)
    func add(engine: Engine) async throws {
        let peru = try await engine.make().country(.peru)
        try await peru.add([Samples.slot(100, at: noon), Samples.slot(101, at: noon)])
        _ = try await peru.claim(claim(1, 100))
        let moved = try Samples.slot(101, at: at(15))
        try await peru.add([Samples.slot(100, at: noon), moved])
        let before = try await peru.schedules(after: nil, limit: 10)
        #expect(before.map(\.slot) == [try Samples.slot(100, at: noon), moved])
        #expect(before.map(\.holder) == [Samples.appointment(1), nil])
        let code = await failure {
            try await peru.add([
                Samples.slot(101, at: at(16)), Samples.slot(100, at: at(16)), Samples.slot(102, at: noon),
            ])
        }
        #expect(code == .invalid)
        #expect(try await peru.schedules(after: nil, limit: 10) == before)
    }

    @Test("a slot belongs to one country", arguments: Engine.ofCountries)
    func otherCountry(engine: Engine) async throws {
        let ledger = try await engine.make()
        let (peru, chile) = (try ledger.country(.peru), try ledger.country(.chile))
        try await peru.add([Samples.slot(100, at: noon)])
        #expect(
            await failure { try await chile.add([Samples.slot(7, at: noon), Samples.slot(100, at: noon)]) } == .invalid)
        #expect(try await chile.schedules(after: nil, limit: 10).isEmpty)
        #expect(try await chile.claim(claim(1, 100, country: .chile)) == .refused(.scheduleNotFound))
    }

    @Test("the same medic at the same place and time is listed once", arguments: Engine.ofCountries)
    func twin(engine: Engine) async throws {
        let peru = try await engine.make().country(.peru)
        let slot = try Samples.slot(100, at: noon)
        let twin = Slot(
            schedule: try Samples.schedule(101), center: slot.center, specialty: 9, medic: slot.medic, date: slot.date)
        #expect(await failure { try await peru.add([slot, twin]) } == .invalid)
        #expect(try await peru.schedules(after: nil, limit: 10).isEmpty)
    }

    @Test("slots are listed by id, page by page", arguments: Engine.ofCountries)
    func pages(engine: Engine) async throws {
        let peru = try await engine.make().country(.peru)
        try await peru.add(try [30, 10, 20, ScheduleID.bounds.upperBound].map { try Samples.slot($0, at: noon) })
        #expect(try await peru.schedules(after: nil, limit: 2).map(\.slot.schedule.number) == [10, 20])
        #expect(
            try await peru.schedules(after: Samples.schedule(20), limit: 10).map(\.slot.schedule.number)
                == [30, ScheduleID.bounds.upperBound])
        #expect(try await peru.schedules(after: nil, limit: 0).isEmpty)
    }
}
