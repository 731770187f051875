/// A moment in UTC, in whole milliseconds since 1970-01-01T00:00:00Z.
///
/// It has its own parser and formatter because Foundation's print the wrong millisecond for half of all
/// values and turn 30 February into 1 March (`docs/decisions/002-own-timestamp.md`).
package struct Timestamp: Hashable, Comparable, Sendable {
    /// Milliseconds since the Unix epoch; within the years 0000 to 9999.
    package let milliseconds: Int64

    /// The first and the last moment that RFC 3339 can write.
    package static let bounds: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999

    /// Creates a moment; values outside the years 0000 to 9999 are moved to the nearest one inside.
    package init(milliseconds: Int64) {
        self.milliseconds = min(max(milliseconds, Self.bounds.lowerBound), Self.bounds.upperBound)
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.milliseconds < right.milliseconds }

    /// This moment moved by a number of milliseconds, kept inside the years 0000 to 9999.
    package func adding(milliseconds delta: Int64) -> Timestamp {
        let (sum, overflow) = milliseconds.addingReportingOverflow(delta)
        return Timestamp(milliseconds: overflow ? (delta > 0 ? Int64.max : Int64.min) : sum)
    }
}

// MARK: - RFC 3339

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC with three digits of a second: `2026-11-24T07:10:53.123Z`.
    package var description: String {
        String(unsafeUninitializedCapacity: 24) { buffer in
            write(into: buffer)
            return 24
        }
    }

    /// Writes the 24 bytes of `description` into the start of a buffer that has room for them.
    func write(into buffer: UnsafeMutableBufferPointer<UInt8>) {
        let days = Int(milliseconds.flooringDivision(by: 86_400_000))
        let inDay = Int(milliseconds - Int64(days) * 86_400_000)
        let date = CivilDate(daysSinceEpoch: days)
        func put(_ value: Int, _ digits: Int, at start: Int) {
            var rest = value
            for place in stride(from: start + digits - 1, through: start, by: -1) {
                buffer[place] = UInt8(48 + rest % 10)
                rest /= 10
            }
        }
        put(date.year, 4, at: 0)
        put(date.month, 2, at: 5)
        put(date.day, 2, at: 8)
        put(inDay / 3_600_000, 2, at: 11)
        put(inDay / 60_000 % 60, 2, at: 14)
        put(inDay / 1000 % 60, 2, at: 17)
        put(inDay % 1000, 3, at: 20)
        buffer[4] = UInt8(ascii: "-")
        buffer[7] = UInt8(ascii: "-")
        buffer[10] = UInt8(ascii: "T")
        buffer[13] = UInt8(ascii: ":")
        buffer[16] = UInt8(ascii: ":")
        buffer[19] = UInt8(ascii: ".")
        buffer[23] = UInt8(ascii: "Z")
    }

    /// Reads an RFC 3339 date-time (`2026-11-24T07:10:53Z`, with 0 to 9 digits of a second and `Z` or an offset).
    ///
    /// Strict: upper-case `T` and `Z`, every field in its range for that month and year, no leap second, since a
    /// 60th second has no millisecond of its own. Digits beyond the millisecond are dropped. Nil for anything else.
    package init?(_ text: some StringProtocol) {
        guard let value = Array(text.utf8).withUnsafeBufferPointer({ Timestamp(utf8: $0) }) else { return nil }
        self = value
    }

    /// Reads the bytes of a date-time's text, as `init(_:)` does.
    package init?(utf8 bytes: UnsafeBufferPointer<UInt8>) {
        var cursor = DigitCursor(bytes: bytes)
        guard let year = cursor.number(4), cursor.skip("-"), let month = cursor.number(2), cursor.skip("-"),
            let day = cursor.number(2), cursor.skip("T"), let hour = cursor.number(2), cursor.skip(":"),
            let minute = cursor.number(2), cursor.skip(":"), let second = cursor.number(2),
            let date = CivilDate(year: year, month: month, day: day), hour < 24, minute < 60, second < 60,
            let fraction = cursor.fractionInMilliseconds(), let offset = cursor.offsetInMinutes(), cursor.isAtEnd
        else { return nil }
        let minutes = Int64(date.daysSinceEpoch) * 1440 + Int64(hour * 60 + minute - offset)
        let value = (minutes * 60 + Int64(second)) * 1000 + Int64(fraction)
        guard Self.bounds.contains(value) else { return nil }
        milliseconds = value
    }
}

/// Reads fixed-width decimal fields from ASCII bytes.
private struct DigitCursor {
    let bytes: UnsafeBufferPointer<UInt8>
    var place = 0

    var isAtEnd: Bool { place == bytes.count }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard place < bytes.count, bytes[place] == UInt8(ascii: character) else { return false }
        place += 1
        return true
    }

    mutating func number(_ digits: Int) -> Int? {
        guard place + digits <= bytes.count else { return nil }
        var value = 0
        for byte in bytes[place..<place + digits] {
            guard byte.isDigit else { return nil }
            value = value * 10 + Int(byte - 48)
        }
        place += digits
        return value
    }

    mutating func fractionInMilliseconds() -> Int? {
        guard skip(".") else { return 0 }
        var value = 0
        var digits = 0
        while place < bytes.count, bytes[place].isDigit {
            if digits < 3 { value = value * 10 + Int(bytes[place] - 48) }
            digits += 1
            place += 1
        }
        guard (1...9).contains(digits) else { return nil }
        for _ in digits..<max(digits, 3) { value *= 10 }
        return value
    }

    mutating func offsetInMinutes() -> Int? {
        if skip("Z") { return 0 }
        let sign = skip("+") ? 1 : skip("-") ? -1 : 0
        guard sign != 0, let hours = number(2), skip(":"), let minutes = number(2), hours < 24, minutes < 60
        else { return nil }
        return sign * (hours * 60 + minutes)
    }
}
