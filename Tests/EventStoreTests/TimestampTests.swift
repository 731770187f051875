import EventStore
import Testing

@Suite struct TimestampTests {
    @Test("every millisecond of a second is printed and read back exactly")
    func milliseconds() {
        for millisecond in 0..<1000 {
            let moment = Timestamp(milliseconds: 1_795_504_253_000 + Int64(millisecond))
            let digits = String(1000 + millisecond).dropFirst()
            #expect(moment.description == "2026-11-24T07:10:53.\(digits)Z")
            #expect(Timestamp(moment.description) == moment)
        }
    }

    @Test("random moments of all years survive printing")
    func roundTrip() {
        for _ in 0..<20_000 {
            let moment = Timestamp(milliseconds: .random(in: Timestamp.bounds))
            #expect(Timestamp(moment.description) == moment)
        }
    }

    @Test(
        "offsets and fractions of one to nine digits are read",
        arguments: [
            ("2026-11-24T07:10:53Z", 1_795_504_253_000), ("2026-11-24T07:10:53.1Z", 1_795_504_253_100),
            ("2026-11-24T07:10:53.123456789Z", 1_795_504_253_123), ("2026-11-24T02:10:53-05:00", 1_795_504_253_000),
            ("2026-11-24T12:40:53+05:30", 1_795_504_253_000), ("1969-12-31T23:59:59.999Z", -1),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000), ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ])
    func reads(text: String, milliseconds: Int64) {
        #expect(Timestamp(text)?.milliseconds == milliseconds)
    }

    @Test(
        "what RFC 3339 does not write is refused",
        arguments: [
            "", "2026-11-24", "2026-11-24T07:10Z", "2026-11-24 07:10:53Z", "2026-11-24t07:10:53z",
            "2026-02-30T00:00:00Z",
            "2025-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
            "2026-11-24T24:00:00Z", "2026-11-24T07:60:00Z", "2026-11-24T07:10:60Z", "2026-11-24T07:10:53.Z",
            "2026-11-24T07:10:53.1234567890Z", "2026-11-24T07:10:53", "2026-11-24T07:10:53+24:00",
            "2026-11-24T07:10:53+05",
            "2026-11-24T07:10:53ZZ", "+026-11-24T07:10:53Z", "٢٠٢٦-11-24T07:10:53Z", "0000-01-01T00:00:00+00:01",
        ])
    func refuses(text: String) { #expect(Timestamp(text) == nil) }

    @Test("arithmetic stays inside the years that can be written")
    func saturates() {
        let last = Timestamp(milliseconds: .max)
        #expect(last.description == "9999-12-31T23:59:59.999Z")
        #expect(last.adding(milliseconds: .max) == last)
        #expect(Timestamp(milliseconds: .min).adding(milliseconds: .min).description == "0000-01-01T00:00:00.000Z")
    }

    @Test("days and dates are each other's inverse, and weeks have seven days")
    func civilDates() {
        for day in -719_528...2_932_896 where day % 37 == 0 {
            let date = CivilDate(daysSinceEpoch: day)
            #expect(date.daysSinceEpoch == day)
            #expect(CivilDate(daysSinceEpoch: day + 7).weekday == date.weekday)
        }
        #expect(CivilDate(year: 2026, month: 11, day: 24)?.weekday == 2)
        #expect(CivilDate(year: 1900, month: 2, day: 29) == nil)
        #expect(CivilDate(year: 2000, month: 2, day: 29) != nil)
    }
}
