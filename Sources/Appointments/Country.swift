package import EventStore

/// A country whose insured people book here.
package enum Country: String, CaseIterable, Sendable {
    case peru = "PE"
    case chile = "CL"

    /// ISO 3166-1 alpha-2 code.
    package var code: String { rawValue }
}

/// When a country's centres take appointments, in local time.
package struct OpeningHours: Equatable, Sendable {
    /// The first minute of the local day at which an appointment may begin.
    package let opensAtMinute: Int
    /// The minute of the local day by which an appointment must have ended.
    package let closesAtMinute: Int
}

extension Country {
    /// How long an appointment takes, in minutes.
    package static let slotMinutes = 30

    /// Opening hours of a day of the week, 0 for Sunday to 6 for Saturday; nil when closed.
    ///
    /// Peru books Monday to Saturday from 8 to 20; Chile Monday to Friday from 8 to 18 and Saturday to 13.
    package func openingHours(weekday: Int) -> OpeningHours? {
        switch (self, weekday) {
        case (.peru, 1...6): OpeningHours(opensAtMinute: 8 * 60, closesAtMinute: 20 * 60)
        case (.chile, 1...5): OpeningHours(opensAtMinute: 8 * 60, closesAtMinute: 18 * 60)
        case (.chile, 6): OpeningHours(opensAtMinute: 8 * 60, closesAtMinute: 13 * 60)
        default: nil
        }
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

    /// The local wall clock at a moment, as minutes since the local 1970-01-01T00:00, rounded down.
    package func localMinutes(at moment: Timestamp) -> Int64 {
        moment.milliseconds.flooringDivision(by: 60_000) + Int64(offsetMinutes(at: moment))
    }

    /// The moment at which the local wall clock of a day shows a minute.
    ///
    /// Exact for every minute inside the opening hours: both countries change their clocks at night.
    package func moment(of day: CivilDate, minute: Int) -> Timestamp {
        let local = Int64(day.daysSinceEpoch) * 1440 + Int64(minute)
        let guess = Timestamp(
            milliseconds: (local - Int64(offsetMinutes(at: .init(milliseconds: local * 60_000)))) * 60_000)
        return Timestamp(milliseconds: (local - Int64(offsetMinutes(at: guess))) * 60_000)
    }
}

// MARK: - Time zones

extension Country {
    /// Minutes to add to UTC: America/Lima, or America/Santiago with its daylight saving time.
    ///
    /// Rules of the tz database 2025b (files `southamerica`, zones Lima and Santiago) from 2019 on. Chile goes to
    /// UTC-3 on the first Sunday from 2 September (in 2022: from 9 September) at 04:00 UTC, and back to UTC-4 on the
    /// first Sunday from 2 April at 03:00 UTC. The domain carries them itself, so that a decision never depends on
    /// what the machine has installed; a test compares them with the machine's tz database.
    package func offsetMinutes(at moment: Timestamp) -> Int {
        switch self {
        case .peru: return -300
        case .chile:
            let year = CivilDate(daysSinceEpoch: Int(moment.milliseconds.flooringDivision(by: 86_400_000))).year
            let winter = Self.firstSunday(year: year, month: 4, from: 2, hour: 3)
            let summer = Self.firstSunday(year: year, month: 9, from: year == 2022 ? 9 : 2, hour: 4)
            return moment >= winter && moment < summer ? -240 : -180
        }
    }

    private static func firstSunday(year: Int, month: Int, from day: Int, hour: Int64) -> Timestamp {
        guard let first = CivilDate(year: year, month: month, day: day) else {
            preconditionFailure("2 April and 2 and 9 September exist in every year from 0 to 9999")
        }
        let days = first.daysSinceEpoch + (7 - first.weekday) % 7
        return Timestamp(milliseconds: (Int64(days) * 24 + hour) * 3_600_000)
    }
}
