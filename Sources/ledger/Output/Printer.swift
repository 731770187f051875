import ArgumentParser
import EventStore

/// How results are printed.
enum OutputFormat: String, CaseIterable, ExpressibleByArgument {
    case table
    case json
    case ndjson
    case csv
}

/// Prints results to standard output, each one JSON object, in any of the formats. Memory does not grow with their
/// number: a table is laid out a page at a time.
struct Printer {
    /// How many rows of a table share their columns' widths.
    private static let pageRows = 200

    private let format: OutputFormat
    private let columns: [String]
    private let put: ([UInt8]) throws -> Void
    private var page: [[String]] = []
    private var count = 0
    private var hasHeader = false

    /// - Parameter columns: the members that tables and CSV show, in order.
    init(_ format: OutputFormat, columns: [String], to put: @escaping ([UInt8]) throws -> Void) {
        (self.format, self.columns, self.put) = (format, columns, put)
    }

    /// Prints one result.
    ///
    /// - Throws: `OutputClosed` when nobody reads any more; a refusal when the output can't be written.
    mutating func print(_ row: any Row) throws {
        var writer = JSONWriter(reservingCapacity: 1024)
        row.write(to: &writer)
        defer { count += 1 }
        switch format {
        case .ndjson: try put(writer.bytes + [10])
        case .json: try put(Array((count == 0 ? "[\n" : ",\n").utf8) + writer.bytes)
        case .csv:
            if count == 0 { try put(CSV.line(columns)) }
            try put(CSV.line(cells(of: writer.bytes)))
        case .table:
            page.append(try cells(of: writer.bytes))
            if page.count == Self.pageRows { try flush() }
        }
    }

    /// Prints what is left. Without it nothing is complete.
    ///
    /// - Throws: `OutputClosed`.
    mutating func finish() throws {
        switch format {
        case .json: try put(Array((count == 0 ? "[]\n" : "\n]\n").utf8))
        case .csv where count == 0: try put(CSV.line(columns))
        case .table: try flush()
        case .csv, .ndjson: break
        }
    }

    /// Prints what a table holds back, so that who follows sees it.
    mutating func flush() throws {
        guard !page.isEmpty || !hasHeader, format == .table else { return }
        defer { hasHeader = true }
        try put(Table.lines(hasHeader ? page : [columns] + page, hasHeader: !hasHeader))
        page.removeAll()
    }

    private func cells(of json: [UInt8]) throws -> [String] {
        let value = try JSONValue(json)
        return columns.map { column in
            var member: JSONValue? = value
            for name in column.split(separator: ".") { member = member?[String(name)] }
            switch member {
            case nil, .null: return ""
            case .string(let text): return text
            case .some(let other): return String(decoding: other.bytes, as: UTF8.self)
            }
        }
    }
}
