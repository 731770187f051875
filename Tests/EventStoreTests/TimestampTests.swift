import EventStore
import Testing

@Suite("Timestamp")
struct TimestampTests {
    @Test("Every millisecond of a second is written and read as itself")
    func milliseconds() throws {
        for second in [-1, 0, 1_772_463_600] as [Int64] {
            for millisecond in 0..<Int64(1000) {
                let moment = Timestamp(milliseconds: second * 1000 + millisecond)
                let digits = String(1000 + millisecond).dropFirst()
                #expect(moment.description.hasSuffix(".\(digits)Z"))
                #expect(Timestamp(moment.description) == moment)
            }
        }
    }

    @Test(
        "RFC 3339 is read",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:00.000Z", 0), ("1969-12-31T23:59:59.999Z", -1),
            ("2026-11-24T07:10:53.123Z", 1_795_504_253_123), ("2026-11-24T07:10:53.1Z", 1_795_504_253_100),
            ("2026-11-24T07:10:53.12Z", 1_795_504_253_120), ("2026-11-24T07:10:53.123999999Z", 1_795_504_253_123),
            ("2026-11-24T02:10:53-05:00", 1_795_504_253_000), ("2026-11-24T12:55:53+05:45", 1_795_504_253_000),
            ("2026-11-24T07:10:53-00:00", 1_795_504_253_000), ("2026-11-25T07:09:53+23:59", 1_795_504_253_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000), ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000), ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
            ("0000-01-01T05:00:00+05:00", -62_167_219_200_000),
        ] as [(String, Int64)])
    func read(text: String, milliseconds: Int64) {
        #expect(Timestamp(text)?.milliseconds == milliseconds)
    }

    @Test(
        "Anything else is refused",
        arguments: [
            "", "2026", "2026-11-24", "2026-11-24T07:10Z", "2026-11-24T07:10:53", "2026-11-24 07:10:53Z",
            "2026-11-24t07:10:53Z", "2026-11-24T07:10:53z", "2026-11-24T07:10:53.Z", "2026-11-24T07:10:53,5Z",
            "2026-11-24T07:10:53.1234567890Z", "2026-02-30T00:00:00Z", "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z", "2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-00T00:00:00Z",
            "2026-01-32T00:00:00Z", "2026-11-24T24:00:00Z", "2026-11-24T07:60:00Z", "2026-12-31T23:59:60Z",
            "2026-11-24T07:10:53+24:00", "2026-11-24T07:10:53+05:60", "2026-11-24T07:10:53+0500",
            "2026-11-24T07:10:53+05", "2026-11-24T07:10:53Z ", " 2026-11-24T07:10:53Z", "+2026-11-24T07:10:53Z",
            "-001-11-24T07:10:53Z", "20260-1-24T07:10:53Z", "２０２６-11-24T07:10:53Z", "٢٠٢٦-11-24T07:10:53Z",
            "2026-11-24T07:10:53Z\u{0}", "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
        ])
    func refused(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test("Moments beyond the years 0000 to 9999 move to the nearest inside, and sums never trap")
    func bounds() {
        #expect(Timestamp(milliseconds: .min).description == "0000-01-01T00:00:00.000Z")
        #expect(Timestamp(milliseconds: .max).description == "9999-12-31T23:59:59.999Z")
        let (first, last) = (Timestamp(milliseconds: .min), Timestamp(milliseconds: .max))
        #expect(last.adding(milliseconds: .max) == last)
        #expect(first.adding(milliseconds: .min) == first)
        #expect(first.adding(milliseconds: .max) == last)
        #expect(Timestamp(milliseconds: 5).adding(milliseconds: -6).milliseconds == -1)
    }

    @Test("Random moments are written and read as themselves")
    func random() {
        var generator = SeededGenerator()
        for _ in 0..<20_000 {
            let moment = Timestamp(milliseconds: .random(in: Timestamp.bounds, using: &generator))
            #expect(Timestamp(moment.description) == moment, "\(generator)")
        }
    }

    @Test("The order of moments is the order of their texts")
    func order() {
        var generator = SeededGenerator()
        let moments = (0..<500).map { _ in
            Timestamp(milliseconds: .random(in: Timestamp.bounds, using: &generator))
        }
        #expect(moments.sorted().map(\.description) == moments.map(\.description).sorted(), "\(generator)")
    }
}

@Suite("CivilDate")
struct CivilDateTests {
    @Test("Every day of 0000 to 9999 follows the day before, and its number leads back to it")
    func everyDay() throws {
        var days = try #require(CivilDate(year: 0, month: 1, day: 1)).daysSinceEpoch
        var wrong = 0
        for year in 0...9999 {
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            for (month, length) in lengths.enumerated() {
                for day in 1...length {
                    let date = CivilDate(year: year, month: month + 1, day: day)
                    if date?.daysSinceEpoch != days || CivilDate(daysSinceEpoch: days) != date { wrong += 1 }
                    days += 1
                }
                if CivilDate(year: year, month: month + 1, day: length + 1) != nil { wrong += 1 }
            }
        }
        #expect(wrong == 0)
        #expect(days - 1 == CivilDate(year: 9999, month: 12, day: 31)?.daysSinceEpoch)
    }

    @Test(
        "The day of the week is known",
        arguments: [
            (1970, 1, 1, 4), (2026, 11, 24, 2), (2026, 3, 1, 0), (2000, 2, 29, 2), (1900, 1, 1, 1), (0, 1, 1, 6),
        ])
    func weekday(year: Int, month: Int, day: Int, weekday: Int) {
        #expect(CivilDate(year: year, month: month, day: day)?.weekday == weekday)
    }

    @Test(
        "A day that does not exist is refused",
        arguments: [
            (2026, 2, 29), (2026, 2, 30), (2100, 2, 29), (2026, 6, 31), (2026, 0, 1), (2026, 13, 1),
            (2026, 1, 0), (2026, 1, -1), (-1, 1, 1), (10_000, 1, 1),
        ])
    func refused(year: Int, month: Int, day: Int) {
        #expect(CivilDate(year: year, month: month, day: day) == nil)
    }

    @Test("Division rounds towards minus infinity", arguments: [(7, 3), (6, 2), (-1, -1), (-3, -1), (-4, -2), (0, 0)])
    func flooring(value: Int64, quotient: Int64) {
        #expect(value.flooringDivision(by: 3) == quotient)
    }
}
