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
        // By scalars: a quote with a combining mark after it is another Character.
        let quoted = cell.unicodeScalars.flatMap { $0 == "\"" ? [$0, $0] : [$0] }
        return "\"" + String(String.UnicodeScalarView(quoted)) + "\""
    }
}
