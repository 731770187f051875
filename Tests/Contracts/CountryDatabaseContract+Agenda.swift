import Appointments
import EventStore
import TestEngines
import Testing

/// The agenda as a whole, and the claims that stand.
extension CountryDatabaseContract {
    private func slot(_ number: Int64, _ minute: Int, medic: Int64 = 7, center: Int64 = 1) throws -> Slot {
        Slot(
            schedule: try Samples.schedule(number), center: center, specialty: 1, medic: medic, date: try at(9, minute))
    }

    private func refusals(_ body: () async throws -> Void) async -> [SlotRefusal] {
        do {
            try await body()
            return []
        } catch {
            return (error as? EventStoreError)?.slotRefusals ?? []
        }
    }

    @Test("the agenda is judged as it is afterwards: slots shift, swap and rotate", arguments: Engine.ofCountries)
    func shift(engine: Engine) async throws {
        let peru = try await engine.make().country(.peru)
        try await peru.add([slot(1, 0), slot(2, 30), slot(3, 60)])
        for times in [[30, 60, 90], [60, 30, 90], [90, 60, 30], [0, 30, 60]] {
            let slots = try zip([Int64(1), 2, 3], times).map { try slot($0, $1) }
            try await peru.add(slots)
            #expect(try await peru.schedules(after: nil, limit: 10).map(\.slot) == slots)
            try await peru.add(slots.reversed())
        }
    }

    @Test("a medic has one slot at a time, in whatever centre", arguments: Engine.ofCountries)
    func medic(engine: Engine) async throws {
        let ledger = try await engine.make()
        let peru = try ledger.country(.peru)
        try await peru.add([slot(1, 0)])
        #expect(
            try await refusals { try await peru.add([slot(2, 0, center: 2), slot(3, 10), slot(4, 30)]) }
                == [SlotRefusal(Samples.schedule(2), .overlaps(Samples.schedule(3)))]
                + [SlotRefusal(Samples.schedule(3), .overlaps(Samples.schedule(4)))]
                + [SlotRefusal(Samples.schedule(4), .overlaps(Samples.schedule(3)))])
        #expect(try await peru.schedules(after: nil, limit: 10).count == 1)
        #expect(
            try await refusals { try await peru.add([slot(2, -29, center: 2)]) }
                == [SlotRefusal(Samples.schedule(2), .overlaps(Samples.schedule(1)))])
        // What touches does not overlap, another medic works beside, and so does the same number in another country.
        try await peru.add([slot(2, 30, center: 2), slot(3, -30), slot(4, 10, medic: 8)])
        try await ledger.country(.chile).add([slot(5, 0)])
        #expect(try await peru.schedules(after: nil, limit: 10).count == 4)
    }

    @Test("all slots that are refused are named at once", arguments: Engine.ofCountries)
    func refused(engine: Engine) async throws {
        let ledger = try await engine.make()
        let (peru, chile) = (try ledger.country(.peru), try ledger.country(.chile))
        try await peru.add([slot(1, 0), slot(2, 30)])
        try await chile.add([slot(3, 0)])
        _ = try await peru.claim(claim(1, 1))
        let refused = await refusals { try await peru.add([slot(1, 90), slot(3, 120), slot(4, 40), slot(2, 30)]) }
        #expect(Set(refused.map(\.schedule.number)) == [1, 3, 4])
        #expect(try refused.contains(SlotRefusal(Samples.schedule(1), .held)))
        #expect(try refused.contains(SlotRefusal(Samples.schedule(3), .elsewhere)))
        #expect(try await peru.schedules(after: nil, limit: 10).count == 2)
    }

    @Test("claims that stand are listed by appointment, page by page", arguments: Engine.ofCountries)
    func standing(engine: Engine) async throws {
        let ledger = try await engine.make()
        let peru = try ledger.country(.peru)
        try await peru.add((1...5).map { try Samples.slot($0, at: noon) })
        for number in [3, 1, 5, 2, 4] { _ = try await peru.claim(claim(number, Int64(number), subject: number)) }
        try await peru.release(Samples.appointment(2), at: at(9))
        let all = try await peru.claims(after: nil, limit: 10)
        #expect(all.map(\.appointment) == [1, 3, 4, 5].map(Samples.appointment))
        #expect(
            all.first
                == StandingClaim(
                    appointment: Samples.appointment(1), schedule: try Samples.schedule(1), subject: Samples.id(1),
                    date: noon, claimed: try at(8)))
        #expect(try await peru.claims(after: all[1].appointment, limit: 1) == [all[2]])
        #expect(try await peru.claims(after: all[3].appointment, limit: 9).isEmpty)
        #expect(try await ledger.country(.chile).claims(after: nil, limit: 9).isEmpty)
    }

    @Test("a lost claim is put back where its slot is free, and nowhere else", arguments: Engine.ofCountries)
    func putBack(engine: Engine) async throws {
        let peru = try await engine.make().country(.peru)
        try await peru.add([Samples.slot(1, at: noon), Samples.slot(2, at: noon)])
        _ = try await peru.claim(claim(1, 1, subject: 1))
        let lost = try #require(try await peru.claims(after: nil, limit: 1).first)
        #expect(try await peru.putBack(lost))
        try await peru.release(lost.appointment, at: at(9))
        #expect(try await peru.putBack(lost))
        #expect(try await peru.claims(after: nil, limit: 9) == [lost])
        let other = StandingClaim(
            appointment: Samples.appointment(2), schedule: lost.schedule, subject: Samples.id(2), date: noon,
            claimed: lost.claimed)
        #expect(try await !peru.putBack(other))
        // The same person at the same time, a slot that is not there, and one that has moved.
        let second = try Samples.schedule(2)
        for claim in [
            (lost.subject, second, noon), (Samples.id(2), try Samples.schedule(9), noon),
            (Samples.id(2), second, try at(15)),
        ] {
            #expect(
                try await !peru.putBack(
                    StandingClaim(
                        appointment: Samples.appointment(3), schedule: claim.1, subject: claim.0, date: claim.2,
                        claimed: lost.claimed)))
        }
        // One that was never there, and one that is past.
        let anew = StandingClaim(
            appointment: Samples.appointment(3), schedule: second, subject: Samples.id(3), date: noon,
            claimed: lost.claimed)
        #expect(try await peru.putBack(anew))
        #expect(try await peru.claims(after: nil, limit: 9) == [lost, anew])
    }
}
