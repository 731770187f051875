package import EventStore
import Synchronization

/// A country whose insured people book here: one of those in `CountryTable`.
package struct Country: RawRepresentable, CaseIterable, Hashable, Sendable {
    /// ISO 3166-1 alpha-2 code.
    package let code: String

    package static let peru = Country(CountryTable.peru)
    package static let chile = Country(CountryTable.chile)

    package static var allCases: [Country] { CountryTable.current.countries }

    /// The countries as a sentence lists them: `PE or CL`.
    package static var list: String { list { $0 } }

    /// The same of what follows from their codes: `RDS_URL_PE or RDS_URL_CL`.
    package static func list(_ name: (String) -> String) -> String {
        let names = allCases.map { name($0.code) }
        return names.dropLast().joined(separator: ", ") + (names.count > 1 ? " or " : "") + (names.last ?? "")
    }

    package init(_ facts: CountryFacts) { code = facts.code }

    /// The country with a code; nil when the table has none.
    package init?(rawValue: String) {
        guard let country = Self.allCases.first(where: { $0.code == rawValue }) else { return nil }
        self = country
    }

    package var rawValue: String { code }

    /// What the table says about the country.
    package var facts: CountryFacts {
        guard let facts = CountryTable.current.rows.first(where: { $0.code == code }) else {
            preconditionFailure("\(code) is not in the table of countries")
        }
        return facts
    }
}

/// What the program has to know about a country. All names of its queue, topic, rule, function and variables follow
/// from its code.
package struct CountryFacts: Equatable, Sendable {
    /// ISO 3166-1 alpha-2 code.
    package let code: String
    /// The opening hours of each day of the week, from Sunday on; nil for a day on which nobody books.
    package let hours: [OpeningHours?]
    package let clock: LocalClock
    /// The scheduleId of its first demo slot; there are 500.
    package let firstDemoSlot: Int64

    package init(code: String, hours: [OpeningHours?], clock: LocalClock, firstDemoSlot: Int64) {
        (self.code, self.hours, self.clock, self.firstDemoSlot) = (code, hours, clock, firstDemoSlot)
    }
}

/// The countries of the program. A country that is added here is a country everywhere.
package struct CountryTable: Equatable, Sendable {
    package let rows: [CountryFacts]
    package let countries: [Country]

    package init(_ rows: [CountryFacts]) { (self.rows, countries) = (rows, rows.map(Country.init)) }

    /// Monday to Saturday from 8 to 20.
    package static let peru = CountryFacts(
        code: "PE", hours: [nil] + Array(repeating: .from(8, to: 20), count: 6), clock: .lima, firstDemoSlot: 1)
    /// Monday to Friday from 8 to 18, and Saturday to 13.
    package static let chile = CountryFacts(
        code: "CL", hours: [nil] + Array(repeating: .from(8, to: 18), count: 5) + [.from(8, to: 13)], clock: .santiago,
        firstDemoSlot: 1001)

    package static let released = CountryTable([peru, chile])

    /// The table that this process works with: the released one, unless a program began with another.
    package static let current = chosen.withLock(\.self) ?? released

    private static let chosen = Mutex<CountryTable?>(nil)

    /// Has this process work with another table. That is for its first line: nothing may have asked for a country yet.
    package static func begin(with table: CountryTable) {
        chosen.withLock { $0 = table }
        precondition(current == table, "the table of countries is in use already")
    }
}

/// When a country's centers take appointments, in local time.
package struct OpeningHours: Equatable, Sendable {
    /// The first minute of the local day at which an appointment may begin.
    package let opensAtMinute: Int
    /// The minute of the local day by which an appointment must have ended.
    package let closesAtMinute: Int

    /// From one full hour to another.
    package static func from(_ opening: Int, to closing: Int) -> OpeningHours {
        OpeningHours(opensAtMinute: opening * 60, closesAtMinute: closing * 60)
    }
}

extension Country {
    /// How long an appointment takes, in minutes.
    package static let slotMinutes = 30

    /// Opening hours of a day of the week, 0 for Sunday to 6 for Saturday; nil when closed.
    package func openingHours(weekday: Int) -> OpeningHours? {
        let hours = facts.hours
        return hours.indices.contains(weekday) ? hours[weekday] : nil
    }

    /// Whether a slot that begins at a moment lies inside the opening hours from its first to its last minute.
    package func isOpen(for slot: Timestamp) -> Bool {
        let local = slot.milliseconds + Int64(offsetMinutes(at: slot)) * 60_000
        let day = local.flooringDivision(by: 86_400_000)
        let inDay = local - day * 86_400_000
        guard let hours = openingHours(weekday: CivilDate(daysSinceEpoch: Int(day)).weekday) else { return false }
        return inDay >= Int64(hours.opensAtMinute) * 60_000
            && inDay + Int64(Self.slotMinutes) * 60_000 <= Int64(hours.closesAtMinute) * 60_000
    }

    /// Minutes to add to UTC.
    package func offsetMinutes(at moment: Timestamp) -> Int { facts.clock.offsetMinutes(at: moment) }

    /// The local wall clock at a moment, as minutes since the local 1970-01-01T00:00, rounded down.
    package func localMinutes(at moment: Timestamp) -> Int64 {
        moment.milliseconds.flooringDivision(by: 60_000) + Int64(offsetMinutes(at: moment))
    }

    /// The moment at which the local wall clock of a day shows a minute.
    ///
    /// Exact for every minute inside the opening hours: clocks are changed at night.
    package func moment(of day: CivilDate, minute: Int) -> Timestamp {
        let local = Int64(day.daysSinceEpoch) * 1440 + Int64(minute)
        let guess = Timestamp(
            milliseconds: (local - Int64(offsetMinutes(at: .init(milliseconds: local * 60_000)))) * 60_000)
        return Timestamp(milliseconds: (local - Int64(offsetMinutes(at: guess))) * 60_000)
    }
}
