import Appointments
import EventStore
import Foundation
import Testing

@Suite struct CountryTests {
    /// A local wall-clock time that a slot begins at, and whether it may.
    struct Opening: Sendable, CustomTestStringConvertible {
        let country: Country
        let utc: String
        let isOpen: Bool
        var testDescription: String { "\(country.code) \(utc) \(isOpen)" }
    }

    @Test(
        "a slot lies inside the opening hours from its first to its last minute",
        arguments: [
            // Lima is UTC-5. Monday 7 December 2026.
            Opening(country: .peru, utc: "2026-12-07T12:59:00Z", isOpen: false),
            Opening(country: .peru, utc: "2026-12-07T13:00:00Z", isOpen: true),
            Opening(country: .peru, utc: "2026-12-08T00:30:00Z", isOpen: true),
            Opening(country: .peru, utc: "2026-12-08T00:31:00Z", isOpen: false),
            // Saturday 12 December is a working day in Peru until 20:00, Sunday is none.
            Opening(country: .peru, utc: "2026-12-13T00:30:00Z", isOpen: true),
            Opening(country: .peru, utc: "2026-12-13T15:00:00Z", isOpen: false),
            // Santiago is UTC-3 in summer.
            Opening(country: .chile, utc: "2026-12-07T10:59:00Z", isOpen: false),
            Opening(country: .chile, utc: "2026-12-07T11:00:00Z", isOpen: true),
            Opening(country: .chile, utc: "2026-12-07T20:30:00Z", isOpen: true),
            Opening(country: .chile, utc: "2026-12-07T20:31:00Z", isOpen: false),
            // Saturday closes at 13:00, Sunday is closed.
            Opening(country: .chile, utc: "2026-12-12T15:30:00Z", isOpen: true),
            Opening(country: .chile, utc: "2026-12-12T15:31:00Z", isOpen: false),
            Opening(country: .chile, utc: "2026-12-13T13:00:00Z", isOpen: false),
        ])
    func openingHours(opening: Opening) throws {
        #expect(opening.country.isOpen(for: try #require(Timestamp(opening.utc))) == opening.isOpen)
    }

    @Test("Santiago goes to UTC-4 on the first Sunday from 2 April at 03:00 UTC")
    func winter() throws {
        let last = try #require(Timestamp("2026-04-05T02:59:59.999Z"))
        #expect(Country.chile.offsetMinutes(at: last) == -180)
        #expect(Country.chile.offsetMinutes(at: last.adding(milliseconds: 1)) == -240)
        // 08:00 on the Monday behind it is an hour later in UTC than on the Friday before.
        #expect(Country.chile.isOpen(for: try #require(Timestamp("2026-04-03T11:00:00Z"))))
        #expect(!Country.chile.isOpen(for: try #require(Timestamp("2026-04-06T11:00:00Z"))))
        #expect(Country.chile.isOpen(for: try #require(Timestamp("2026-04-06T12:00:00Z"))))
    }

    @Test("Santiago goes to UTC-3 on the first Sunday from 2 September at 04:00 UTC")
    func summer() throws {
        let last = try #require(Timestamp("2026-09-06T03:59:59.999Z"))
        #expect(Country.chile.offsetMinutes(at: last) == -240)
        #expect(Country.chile.offsetMinutes(at: last.adding(milliseconds: 1)) == -180)
        #expect(Country.chile.isOpen(for: try #require(Timestamp("2026-09-04T12:00:00Z"))))
        #expect(!Country.chile.isOpen(for: try #require(Timestamp("2026-09-04T11:00:00Z"))))
        #expect(Country.chile.isOpen(for: try #require(Timestamp("2026-09-07T11:00:00Z"))))
    }

    @Test(
        "the domain's own time zones are those of the tz database, hour by hour from 2019 to 2035",
        arguments: [(Country.peru, "America/Lima"), (.chile, "America/Santiago")])
    func timeZones(country: Country, name: String) throws {
        let zone = try #require(TimeZone(identifier: name))
        let first = try #require(Timestamp("2019-01-01T00:00:00Z")).milliseconds / 3_600_000
        let last = try #require(Timestamp("2036-01-01T00:00:00Z")).milliseconds / 3_600_000
        var different: [Timestamp] = []
        for hour in first..<last {
            let moment = Timestamp(milliseconds: hour * 3_600_000)
            let seconds = zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(hour * 3600)))
            if country.offsetMinutes(at: moment) * 60 != seconds { different.append(moment) }
        }
        #expect(different.isEmpty, "first \(String(describing: different.first))")
    }

    @Test("the moment of a local minute and the local minute of a moment are each other's inverse")
    func inverse() {
        for day in stride(from: 20_000, to: 24_000, by: 1) {
            for country in Country.allCases {
                for minute in [8 * 60, 12 * 60 + 30, 17 * 60 + 30] {
                    let moment = country.moment(of: CivilDate(daysSinceEpoch: day), minute: minute)
                    #expect(country.localMinutes(at: moment) == Int64(day * 1440 + minute))
                }
            }
        }
    }
}
