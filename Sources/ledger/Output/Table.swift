/// Lays out rows in columns for a terminal.
enum Table {
    /// The lines of some rows; the first row is a header where it says so.
    static func lines(_ rows: [[String]], hasHeader: Bool) -> [UInt8] {
        let rows = rows.map { $0.map(printable) }
        let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        var text = ""
        for (index, row) in rows.enumerated() {
            text += line(row, widths)
            if index == 0, hasHeader { text += line(widths.map { String(repeating: "-", count: $0) }, widths) }
        }
        return Array(text.utf8)
    }

    private static func line(_ row: [String], _ widths: [Int]) -> String {
        var line = ""
        for (cell, width) in zip(row, widths) {
            line += cell + String(repeating: " ", count: width - cell.count + 2)
        }
        while line.last == " " { line.removeLast() }
        return line + "\n"
    }

    /// A text in which what would move a terminal's cursor, change its colours or turn its direction is escaped.
    private static func printable(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { text, scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                text += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            default: text.unicodeScalars.append(scalar)
            }
        }
    }
}
