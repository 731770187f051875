package import Appointments
package import EventStore
package import Projections

/// Compares the claims of the countries' databases with the ledger, both ways.
///
/// A claim stands before its event is appended, and for a while after an appointment has failed. So the claims are read
/// before the events, and whatever looks wrong is looked at once more by itself before it is a finding. Memory holds
/// the claims that stand, the booked slots, and one range of events.
package struct ClaimCheck: Sendable {
    /// How long a failed appointment may go on holding its slot: its message is hidden for three minutes, three times.
    package static let patienceMilliseconds: Int64 = 600_000

    let scan: any StreamScan
    let store: any StreamReader
    let countries: [Country: any CountryDatabase]
    let patienceMilliseconds: Int64
    let now: @Sendable () -> Timestamp
    private let rangeEvents: Int
    private let progress: @Sendable (Int) -> Void

    /// - Parameter patienceMilliseconds: how long work of a failed appointment may be under way.
    /// - Parameter progress: told how many appointments were compared.
    package init(
        scan: any StreamScan, store: any StreamReader, countries: [Country: any CountryDatabase],
        patienceMilliseconds: Int64 = patienceMilliseconds, rangeEvents: Int = 4000,
        now: @escaping @Sendable () -> Timestamp, progress: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        (self.scan, self.store, self.countries) = (scan, store, countries)
        (self.patienceMilliseconds, self.rangeEvents) = (patienceMilliseconds, rangeEvents)
        (self.now, self.progress) = (now, progress)
    }

    /// What was compared and found.
    package struct Report: Sendable {
        package fileprivate(set) var report = VerifyReport([.countries])
        /// How many claims stand.
        package fileprivate(set) var claims = 0
        /// Claims of appointments that have failed just now, and are being given back.
        package fileprivate(set) var underWay = 0
        /// Countries whose database did not answer: nothing is known of them.
        package fileprivate(set) var away: [Country] = []

        package init() {}
    }

    private struct State {
        var report = Report()
        var claims: [Country: [AppointmentID: StandingClaim]] = [:]
        var booked: [Country: [ScheduleID: AppointmentID]] = [:]
        var persons: [PersonOfCountry: [(slot: Slot, appointment: AppointmentID)]] = [:]
        /// What is to be looked at once more.
        var doubtful: [(country: Country, appointment: AppointmentID)] = []
        var pairs: [(kind: Finding.Kind, country: Country, AppointmentID, AppointmentID)] = []
        var appointments = 0
    }

    private struct PersonOfCountry: Hashable {
        let country: Country
        let subject: Identifier
    }

    /// Compares all that there is.
    ///
    /// - Throws: `unavailable` when the store of events does not answer, `corrupt` when it can't be gone through.
    package func run() async throws(EventStoreError) -> Report {
        var state = State()
        for country in Country.allCases {
            guard let database = countries[country] else { continue }
            do throws(EventStoreError) {
                state.claims[country] = try await claims(of: database)
                state.report.claims += state.claims[country]?.count ?? 0
                try await compareMedics(of: country, database, &state.report.report)
            } catch {
                try error.throwUnlessUnavailable()
                state.claims[country] = nil
                state.report.away.append(country)
            }
        }
        var after: StreamID?
        while !state.claims.isEmpty, let range = try await scan.range(after: after, events: rangeEvents) {
            for loaded in try await appointments(in: range, &state) { take(loaded, &state) }
            after = range.through
            progress(state.appointments)
        }
        for (country, claims) in state.claims { state.doubtful += claims.keys.map { (country, $0) } }
        state.doubtful.sort { ($0.country.code, $0.appointment) < ($1.country.code, $1.appointment) }
        for (country, appointment) in state.doubtful {
            guard !state.report.away.contains(country) else { continue }
            do throws(EventStoreError) {
                switch try await look(at: appointment, in: country) {
                case .holds: break
                case .isUnderWay: state.report.underWay += 1
                case .differs(let finding): state.report.report.add(finding)
                }
            } catch {
                try error.throwUnlessUnavailable()
                state.report.away.append(country)
            }
        }
        pairPersons(&state)
        for pair in state.pairs { try await look(at: pair, &state.report.report) }
        state.report.report.streams = state.appointments
        return state.report
    }

    private func claims(
        of database: any CountryDatabase
    ) async throws(EventStoreError) -> [AppointmentID: StandingClaim] {
        var claims: [AppointmentID: StandingClaim] = [:]
        var after: AppointmentID?
        while true {
            let page = try await database.claims(after: after, limit: 2000)
            for claim in page { claims[claim.appointment] = claim }
            guard page.count == 2000, let last = page.last else { return claims }
            after = last.appointment
        }
    }

    /// The appointments of a range. Where one of its events can't be read, those that hold a slot are read one by one;
    /// what is damaged is for `verify --chain` to say, and no claim of it is a finding.
    private func appointments(
        in range: StreamRange, _ state: inout State
    ) async throws(EventStoreError) -> [LoadedAppointment] {
        do throws(EventStoreError) {
            var streams: [LoadedAppointment] = []
            var events: [RecordedEvent] = []
            for event in try await scan.events(in: range) {
                if let last = events.last, last.stream != event.stream {
                    streams.append(try LoadedAppointment(events))
                    events = []
                }
                events.append(event)
            }
            if !events.isEmpty { streams.append(try LoadedAppointment(events)) }
            return streams
        } catch {
            try error.throwIfUnavailable()
        }
        var streams: [LoadedAppointment] = []
        for country in state.claims.keys {
            for id in (state.claims[country] ?? [:]).keys where range.contains(id.stream) {
                do throws(EventStoreError) {
                    let events = try await store.read(id.stream)
                    if !events.isEmpty { streams.append(try LoadedAppointment(events)) }
                } catch {
                    try error.throwIfUnavailable()
                    state.claims[country]?[id] = nil
                }
            }
        }
        return streams
    }

    private func take(_ loaded: LoadedAppointment, _ state: inout State) {
        state.appointments += 1
        guard let id = loaded.events.first?.stream.appointment, let country = loaded.state.request?.country,
            state.claims[country] != nil
        else { return }
        let claim = state.claims[country]?.removeValue(forKey: id)
        if !loaded.agrees(with: claim) { state.doubtful.append((country, id)) }
        guard let slot = loaded.state.bookedSlot else { return }
        if let first = state.booked[country, default: [:]].updateValue(id, forKey: slot.schedule) {
            state.pairs.append((.slotTwice, country, first, id))
        }
        if let subject = loaded.subject {
            state.persons[PersonOfCountry(country: country, subject: subject), default: []].append((slot, id))
        }
    }

    private func pairPersons(_ state: inout State) {
        var pairs: [(AppointmentID, AppointmentID, Country)] = []
        for (person, booked) in state.persons where booked.count > 1 {
            let slots = booked.sorted { ($0.slot.date, $0.appointment) < ($1.slot.date, $1.appointment) }
            // Slots are of one length: one that overlaps any overlaps its neighbour.
            for (first, second) in zip(slots, slots.dropFirst()) where first.slot.overlaps(second.slot) {
                pairs.append((first.appointment, second.appointment, person.country))
            }
        }
        state.pairs += pairs.sorted { $0.0 < $1.0 }.map { (.personTwice, $0.2, $0.0, $0.1) }
    }

    /// Looks at a pair once more: one of the two may have failed meanwhile.
    private func look(
        at pair: (kind: Finding.Kind, country: Country, first: AppointmentID, second: AppointmentID),
        _ report: inout VerifyReport
    ) async throws(EventStoreError) {
        guard let first = try await load(pair.first)?.state.bookedSlot,
            let second = try await load(pair.second)?.state.bookedSlot
        else { return }
        let what =
            pair.kind == .slotTwice
            ? "slot \(first.schedule.number) of \(pair.country.code) is booked by it and by \(pair.second)"
            : "a person has it for slot \(first.schedule.number) of \(pair.country.code) and, at the same time, "
                + "\(pair.second) for slot \(second.schedule.number)"
        report.add(
            Finding(
                pair.kind, stream: pair.first.stream,
                slot: .init(country: pair.country, booked: first.schedule, other: pair.second), message: what))
    }

    func load(_ appointment: AppointmentID) async throws(EventStoreError) -> LoadedAppointment? {
        let events = try await store.read(appointment.stream)
        return events.isEmpty ? nil : try LoadedAppointment(events)
    }

    /// Slots of a medic that overlap, from before that was refused. What has begun is past mending.
    private func compareMedics(
        of country: Country, _ database: any CountryDatabase, _ report: inout VerifyReport
    ) async throws(EventStoreError) {
        var slots: [Int64: [Slot]] = [:]
        var after: ScheduleID?
        let now = now()
        while true {
            let page = try await database.schedules(after: after, limit: 5000)
            for row in page where row.slot.date > now { slots[row.slot.medic, default: []].append(row.slot) }
            guard page.count == 5000, let last = page.last else { break }
            after = last.slot.schedule
        }
        for (medic, slots) in slots.sorted(by: { $0.key < $1.key }) {
            let slots = slots.sorted { ($0.date, $0.schedule) < ($1.date, $1.schedule) }
            for (first, second) in zip(slots, slots.dropFirst()) where first.overlaps(second) {
                report.add(
                    Finding(
                        .medicTwice, slot: .init(country: country, held: second.schedule),
                        message: "slots \(first.schedule.number) and \(second.schedule.number) of medic \(medic) in "
                            + "\(country.code) overlap: move one that nobody holds"))
            }
        }
    }
}

extension Appointment {
    /// The slot that it has; nil before it was processed, and once it has failed.
    package var bookedSlot: Slot? {
        switch end {
        case .failed: nil
        case .completed, nil: booking?.slot
        }
    }
}
