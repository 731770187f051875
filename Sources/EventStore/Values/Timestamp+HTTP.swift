/// The date of an HTTP header (RFC 9110 section 5.6.7, IMF-fixdate): `Tue, 24 Nov 2026 17:14:27 GMT`.
extension Timestamp {
    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// The moment as a header writes it, without its milliseconds.
    package var httpDate: String {
        let date = CivilDate(daysSinceEpoch: Int(milliseconds.flooringDivision(by: 86_400_000)))
        let (text, day) = (description, Self.days[date.weekday])
        func part(_ start: Int, _ count: Int) -> Substring { text.dropFirst(start).prefix(count) }
        return "\(day), \(part(8, 2)) \(Self.months[date.month - 1]) \(part(0, 4)) \(part(11, 8)) GMT"
    }

    /// Reads the date of a header; nil for anything else. The day of the week is not looked at.
    package init?(httpDate text: String) {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", let month = Self.months.firstIndex(of: String(parts[2])) else {
            return nil
        }
        let number = month < 9 ? "0\(month + 1)" : "\(month + 1)"
        self.init("\(parts[3])-\(number)-\(parts[1])T\(parts[4])Z")
    }
}
