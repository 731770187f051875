package import EventStore

/// How far a country's clocks are from UTC.
///
/// The domain carries the rules itself, so that a decision never depends on what the machine has installed; a test
/// compares them with the machine's tz database.
package struct LocalClock: Equatable, Sendable {
    /// Minutes to add to UTC.
    package let minutes: Int
    /// The part of the year in which they are others.
    package let season: Season?

    package init(minutes: Int, season: Season? = nil) { (self.minutes, self.season) = (minutes, season) }

    /// A part of a calendar year.
    package struct Season: Equatable, Sendable {
        package let minutes: Int
        package let begins: Change
        package let ends: Change
    }

    /// The first Sunday of a month, from a day on, at an hour of UTC.
    package struct Change: Equatable, Sendable {
        package let month: Int
        package let day: Int
        package let hour: Int
        /// The day of the month in years that had another one.
        package var exceptions: [Int: Int] = [:]

        func moment(in year: Int) -> Timestamp {
            guard let first = CivilDate(year: year, month: month, day: exceptions[year] ?? day) else {
                preconditionFailure("a change of clocks has a day that every year has")
            }
            let days = first.daysSinceEpoch + (7 - first.weekday) % 7
            return Timestamp(milliseconds: (Int64(days) * 24 + Int64(hour)) * 3_600_000)
        }
    }

    /// Minutes to add to UTC at a moment.
    package func offsetMinutes(at moment: Timestamp) -> Int {
        guard let season else { return minutes }
        let year = CivilDate(daysSinceEpoch: Int(moment.milliseconds.flooringDivision(by: 86_400_000))).year
        let isSeason = moment >= season.begins.moment(in: year) && moment < season.ends.moment(in: year)
        return isSeason ? season.minutes : minutes
    }
}

// MARK: - The tz database, version 2025b, file `southamerica`, from 2019 on

extension LocalClock {
    package static let lima = LocalClock(minutes: -300)

    /// To UTC-4 on the first Sunday from 2 April at 03:00 UTC, and back to UTC-3 on the first Sunday from 2 September
    /// (in 2022: from 9 September) at 04:00 UTC.
    package static let santiago = LocalClock(
        minutes: -180,
        season: Season(
            minutes: -240, begins: Change(month: 4, day: 2, hour: 3),
            ends: Change(month: 9, day: 2, hour: 4, exceptions: [2022: 9])))
}
