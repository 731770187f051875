/// Reads comma-separated values as people export them (RFC 4180): with or without a byte order mark, lines that end in
/// LF, CRLF or CR, cells in quotes, and a semicolon or a tab for the comma, as a spreadsheet writes them where the
/// comma is the decimal mark. Rows without anything in them are passed over.
struct CSVReader {
    /// A row, and the line of the file in which it begins.
    typealias Row = (line: Int, cells: [[UInt8]])

    private let bytes: [UInt8]
    private let separator: UInt8
    private var place: Int
    private var line = 1

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        let firstLine = bytes[start...].prefix { $0 != Self.lf && $0 != Self.cr }
        if let named = Self.namedSeparator(firstLine) {
            separator = named
            start += firstLine.count
            let end = bytes[start...].prefix(2)
            start += end.elementsEqual([Self.cr, Self.lf]) ? 2 : end.isEmpty ? 0 : 1
            line = 2
        } else {
            let counts = Self.separators.map { separator in (separator, firstLine.count { $0 == separator }) }
            separator = counts.max { $0.1 < $1.1 }.flatMap { $0.1 > 0 ? $0.0 : nil } ?? Self.separators[0]
        }
        place = start
    }

    private static let (lf, cr, quote) = (UInt8(10), UInt8(13), UInt8(ascii: "\""))
    /// In the order in which they are preferred; `max` takes the last of equals, so the comma stands last.
    private static let separators = [UInt8(ascii: "\t"), UInt8(ascii: ";"), UInt8(ascii: ",")]

    /// The separator of a line such as `sep=;`, which spreadsheets write and read.
    private static func namedSeparator(_ line: ArraySlice<UInt8>) -> UInt8? {
        let text = line.filter { $0 != quote }
        guard text.count == 5, String(decoding: text.prefix(4), as: UTF8.self).lowercased() == "sep=" else {
            return nil
        }
        return text.last.flatMap { separators.contains($0) ? $0 : nil }
    }

    /// How much of the file was read.
    var progress: (done: Int, all: Int) { (place, bytes.count) }

    /// The next row with anything in it; nil at the end.
    ///
    /// - Throws: a refusal that names the line, when quotes do not match.
    mutating func next() throws(Refusal) -> Row? {
        while place < bytes.count {
            let row = try row()
            if row.cells.contains(where: { !$0.isEmpty }) { return row }
        }
        return nil
    }

    /// The next row, whatever is in it.
    ///
    /// - Throws: as `next`.
    mutating func row() throws(Refusal) -> Row {
        let first = line
        var cells: [[UInt8]] = []
        while true {
            cells.append(place < bytes.count && bytes[place] == Self.quote ? try quoted() : plain())
            guard place < bytes.count else { return (first, cells) }
            let byte = bytes[place]
            place += 1
            if byte == separator { continue }
            if byte == Self.cr, place < bytes.count, bytes[place] == Self.lf { place += 1 }
            line += 1
            return (first, cells)
        }
    }

    private mutating func plain() -> [UInt8] {
        let start = place
        while place < bytes.count {
            let byte = bytes[place]
            if byte == separator || byte == Self.lf || byte == Self.cr { break }
            place += 1
        }
        return Array(bytes[start..<place])
    }

    private mutating func quoted() throws(Refusal) -> [UInt8] {
        let first = line
        var cell: [UInt8] = []
        place += 1
        while place < bytes.count {
            let byte = bytes[place]
            place += 1
            guard byte == Self.quote else {
                let isCRLF = byte == Self.lf && bytes[place - 2] == Self.cr
                if byte == Self.cr || byte == Self.lf && !isCRLF { line += 1 }
                cell.append(byte)
                continue
            }
            guard place < bytes.count, bytes[place] == Self.quote else {
                let rest = plain()
                if rest.isEmpty { return cell }
                throw Refusal("line \(line): behind a closing quote stands text: double the quotes inside of a cell")
            }
            cell.append(byte)
            place += 1
        }
        throw Refusal("line \(first): a quote is opened and never closed: close it")
    }
}
