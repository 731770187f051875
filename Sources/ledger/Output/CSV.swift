/// Comma-separated values (RFC 4180).
enum CSV {
    /// A line of cells with its line end.
    ///
    /// A cell that a spreadsheet would take for a formula gets an apostrophe before it (OWASP, "CSV Injection").
    static func line(_ cells: [String]) -> [UInt8] {
        Array((cells.map(quote).joined(separator: ",") + "\r\n").utf8)
    }

    private static func quote(_ cell: String) -> String {
        var cell = cell
        if let first = cell.utf8.first, "=+-@\t\r".utf8.contains(first) { cell = "'" + cell }
        guard cell.utf8.contains(where: { ",\"\r\n".utf8.contains($0) }) else { return cell }
        // By scalars: a quote with a combining mark behind it is another Character.
        let quoted = cell.unicodeScalars.flatMap { $0 == "\"" ? [$0, $0] : [$0] }
        return "\"" + String(String.UnicodeScalarView(quoted)) + "\""
    }

    /// The lines of a file without quotes, each with its number from 1; line ends are LF or CRLF.
    ///
    /// Schedules hold numbers and times alone, so a quote is no part of any good line.
    static func lines(_ text: String) -> [(number: Int, cells: [Substring])] {
        // CR and LF together are one Character.
        text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }.enumerated()
            .map { ($0.offset + 1, $0.element.split(separator: ",", omittingEmptySubsequences: false)) }
            .filter { $0.1 != [""] }
    }
}
