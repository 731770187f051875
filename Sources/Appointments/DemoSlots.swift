package import EventStore

/// Slots for a ledger that is tried out: over the coming four weeks, inside the country's opening hours.
package enum DemoSlots {
    /// How many slots a country gets.
    package static let count = 500

    /// 500 slots of a country, their ids in a row: 1 to 500 for Peru, 1001 to 1500 for Chile. They begin tomorrow.
    package static func make(_ country: Country, from now: Timestamp) -> [Slot] {
        let today = Int(country.localMinutes(at: now).flooringDivision(by: 1440))
        let days = (1...28).map { CivilDate(daysSinceEpoch: today + $0) }
            .compactMap { day in country.openingHours(weekday: day.weekday).map { (day, $0) } }
        let first = country.facts.firstDemoSlot
        return (0..<count).map { index in
            let place = index * days.count / count
            let (day, hours) = days[place]
            let inDay = index - (place * count + days.count - 1) / days.count
            let perDay = (hours.closesAtMinute - hours.opensAtMinute) / Country.slotMinutes
            let minute = hours.opensAtMinute + inDay % perDay * Country.slotMinutes
            guard let schedule = ScheduleID(first + Int64(index)) else { preconditionFailure("small numbers are ids") }
            return Slot(
                schedule: schedule, center: Int64(1 + index % 4), specialty: Int64(1 + index % 6),
                medic: Int64(1 + index % 12 + inDay / perDay * 12), date: country.moment(of: day, minute: minute))
        }
    }
}
