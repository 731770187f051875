import ArgumentParser
import EventStore
import Glibc
import HostSystem

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
    private var page: [[String]] = []
    private var count = 0
    private var hasHeader = false

    /// - Parameter columns: the members that tables and CSV show, in order; `schedule.date` is a member of a member.
    init(_ format: OutputFormat, columns: [String]) { (self.format, self.columns) = (format, columns) }

    /// Prints one result.
    ///
    /// - Throws: `OutputClosed` when nobody reads any more; a refusal when the output can't be written.
    mutating func row(_ write: (inout JSONWriter) -> Void) throws {
        var writer = JSONWriter(reservingCapacity: 1024)
        write(&writer)
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

    private func put(_ bytes: [UInt8]) throws { try StandardOutput.write(bytes) }
}

/// Standard output without a buffer of its own.
enum StandardOutput {
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Ends a command that has nothing to print now and would else never learn that nobody reads any more.
    ///
    /// - Throws: `OutputClosed`.
    static func requireReader() throws {
        var output = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
        if poll(&output, 1, 0) > 0, output.revents & Int16(POLLERR | POLLHUP | POLLNVAL) != 0 { throw OutputClosed() }
    }

    /// - Throws: `OutputClosed` when nobody reads any more; a refusal when the output can't be written, so that a
    ///   result that was cut off by a full disk does not pass for a whole one.
    static func write(_ bytes: [UInt8]) throws {
        switch StandardStreams.write(bytes, to: STDOUT_FILENO) {
        case nil: return
        case EPIPE: throw OutputClosed()
        case .some(let code):
            throw Refusal(
                "standard output can't be written (\(String(cString: strerror(code)))): it is not complete")
        }
    }
}

/// Nobody reads the output any more, as with `| head`: the command ends, and that is no failure.
struct OutputClosed: Error {}
