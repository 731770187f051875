import Appointments
import ArgumentParser
import EventStore
import Foundation
import Handlers

/// `ledger schedules`: the countries' slots.
struct SchedulesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedules", abstract: "Imports, lists and exports the countries' slots.",
        discussion: """
            EXAMPLES
              ledger schedules import slots.csv
              ledger schedules list --country PE
            """,
        subcommands: [Import.self, List.self, Export.self])

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds slots from a CSV file, or replaces those that nobody holds; all lines or none.",
            discussion: """
                The first line is \(ScheduleFile.header). Times are RFC 3339. Where the countries have \
                PostgreSQL databases of their own, each takes all of its lines or none.

                EXAMPLE
                  ledger schedules import slots.csv
                """)

        @Argument(help: "The file; - for standard input.") var file: String
        @OptionGroup var options: SharedOptions

        func run() async throws {
            let rows = try ScheduleFile.read(file)
            let ledger = try await options.open(.create(demoSlots: false))
            do throws(EventStoreError) {
                try await ledger.addSlots(rows.map { ($0.country, $0.slot) })
            } catch {
                throw ScheduleFile.refusal(error, rows)
            }
            report("ledger: imported \(rows.count) slots; `ledger schedules list` shows them")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the slots and who holds them.",
            discussion: """
                EXAMPLES
                  ledger schedules list --country CL
                  ledger schedules list --available
                """)

        @Option(help: "Only this country, PE or CL.", transform: Reading.country) var country: Country?
        @Flag(help: "Only slots that nobody holds.") var available = false
        @OptionGroup var options: SharedOptions

        func run() async throws {
            var printer = options.printer(ScheduleFile.columns)
            try await printSlots(country, onlyAvailable: available, options, &printer)
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Writes all slots with their holders, as CSV unless --format says otherwise.",
            discussion: """
                EXAMPLE
                  ledger schedules export > slots.csv
                """)

        @Option(help: "Only this country, PE or CL.", transform: Reading.country) var country: Country?
        @OptionGroup var options: SharedOptions

        func run() async throws {
            var printer = options.printer(ScheduleFile.columns, otherwise: .csv)
            try await printSlots(country, onlyAvailable: false, options, &printer)
        }
    }

    private static func printSlots(
        _ country: Country?, onlyAvailable: Bool, _ options: SharedOptions, _ printer: inout Printer
    ) async throws {
        let ledger = try await options.open()
        for country in country.map({ [$0] }) ?? Country.allCases {
            var after: ScheduleID?
            while let page = try await ledger.performer.countries[country]?.schedules(after: after, limit: 500),
                let last = page.last
            {
                for row in page where !onlyAvailable || row.holder == nil { try printer.row(row.write) }
                after = last.slot.schedule
            }
        }
        try printer.finish()
    }
}

extension ScheduleRow {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.object {
            $0.member("scheduleId", slot.schedule.number)
            $0.member("countryISO", country.code)
            $0.member("centerId", slot.center)
            $0.member("specialtyId", slot.specialty)
            $0.member("medicId", slot.medic)
            $0.member("date", slot.date)
            $0.member("available") { $0.boolean(holder == nil) }
            $0.member("appointmentId", holder?.description)
        }
    }
}

/// A file of slots.
enum ScheduleFile {
    static let header = "scheduleId,countryISO,centerId,specialtyId,medicId,date"
    static let columns = header.split(separator: ",").map(String.init) + ["available", "appointmentId"]

    /// A line of the file.
    typealias Line = (number: Int, country: Country, slot: Slot)

    /// Reads and checks every line.
    ///
    /// - Throws: a refusal that names the first bad line, its field and the remedy.
    static func read(_ path: String) throws -> [Line] {
        guard let handle = path == "-" ? FileHandle.standardInput : FileHandle(forReadingAtPath: path) else {
            throw Refusal("there is no file \(path) to read: name another, or - for standard input")
        }
        let content: Data?
        do {
            content = try handle.readToEnd()
        } catch {
            throw Refusal("\(path) can't be read: name a file of slots, or - for standard input")
        }
        guard let text = String(validating: content ?? Data(), as: UTF8.self) else {
            throw Refusal("\(path) is not UTF-8: save it as UTF-8")
        }
        if text.unicodeScalars.first == "\u{FEFF}" {
            throw Refusal("\(path) begins with a byte order mark: save it as UTF-8 without one")
        }
        let lines = CSV.lines(text)
        guard let first = lines.first, first.number == 1, first.cells.joined(separator: ",") == header else {
            throw Refusal("line 1 of \(path) is not '\(header)': write it as the first line")
        }
        var seen: [ScheduleID: Int] = [:]
        return try lines.dropFirst().map { line in
            let row = try slot(line.cells, line.number)
            if let first = seen.updateValue(line.number, forKey: row.slot.schedule) {
                throw Refusal("line \(line.number): scheduleId \(row.slot.schedule.number) stands in line \(first) too")
            }
            return row
        }
    }

    /// What the country's database refused, with the line that it stands in.
    static func refusal(_ error: EventStoreError, _ lines: [Line]) -> any Error {
        guard error.code == .invalid,
            let line = lines.first(where: { error.message.hasPrefix("schedule \($0.slot.schedule.number) ") })
        else { return error }
        return Refusal("line \(line.number): \(error.message)")
    }

    private static func slot(_ cells: [Substring], _ line: Int) throws -> Line {
        guard cells.count == 6 else {
            throw Refusal("line \(line): \(cells.count) fields instead of 6: \(header)")
        }
        func number(_ cell: Substring, _ field: String) throws -> Int64 {
            guard cell.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int64(cell),
                let id = ScheduleID(number)
            else { throw Refusal("line \(line): \(field) is not a whole number from 1 to 2^53-1") }
            return id.number
        }
        guard let schedule = ScheduleID(try number(cells[0], "scheduleId")) else { throw Refusal("line \(line)") }
        guard let country = Country(rawValue: String(cells[1])) else {
            throw Refusal("line \(line): countryISO is not PE or CL")
        }
        return (
            line, country,
            Slot(
                schedule: schedule, center: try number(cells[2], "centerId"),
                specialty: try number(cells[3], "specialtyId"), medic: try number(cells[4], "medicId"),
                date: try moment(cells[5], line))
        )
    }

    private static func moment(_ cell: Substring, _ line: Int) throws -> Timestamp {
        guard let date = Timestamp(cell) else {
            throw Refusal("line \(line): date is no RFC 3339 time such as 2026-12-01T14:00:00Z")
        }
        return date
    }
}
