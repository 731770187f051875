import Appointments
import EventStore
import Foundation

/// A file of slots: what an import reads, and all that is wrong with it.
struct ScheduleFile {
    static let header = "scheduleId,countryISO,centerId,specialtyId,medicId,date"
    private static let wanted = header.split(separator: ",").map(String.init)
    /// What an export has besides. It is not read: who holds a slot is not for a file to say.
    private static let unread = ["available", "appointmentId"]
    static let columns = wanted + unread

    private(set) var slots: [CountrySlot] = []
    private(set) var errors = Errors()
    private var lines: [ScheduleID: Int] = [:]

    /// What is wrong, by line. The first errors are kept and the others counted.
    struct Errors {
        static let maximumShown = 20
        private(set) var shown: [(line: Int, text: String)] = []
        private(set) var count = 0

        mutating func add(_ line: Int, _ text: String) {
            count += 1
            if shown.count < Self.maximumShown { shown.append((line, text)) }
        }
    }

    /// Reads a file and checks every line by itself.
    ///
    /// - Throws: a refusal for what can't be read as a file of slots at all.
    init(_ path: String, in shell: Shell, progress: Progress) throws {
        var reader = CSVReader(try Self.bytes(of: path, in: shell))
        let head = try reader.row()
        let places = try Self.places(head, path)
        var rowCount = 0
        while let row = try reader.next() {
            take(row, places, width: head.cells.count)
            rowCount += 1
            if rowCount % 1000 == 0 { progress.show(reader.progress.done, of: reader.progress.all, "bytes read") }
        }
    }

    private static func bytes(of path: String, in shell: Shell) throws -> [UInt8] {
        let content: [UInt8]
        do {
            if path == "-" {
                content = try shell.input()
            } else {
                guard let handle = FileHandle(forReadingAtPath: path) else {
                    throw Refusal("there is no file \(path) to read: name another, or - for standard input")
                }
                content = Array(try handle.readToEnd() ?? Data())
            }
        } catch let error as Refusal {
            throw error
        } catch {
            throw Refusal("\(path) can't be read: name a file of slots, or - for standard input")
        }
        guard String(validating: content, as: UTF8.self) != nil else {
            throw Refusal("\(path) is not UTF-8: save it as \"CSV UTF-8\"")
        }
        return content
    }

    /// Where each wanted column stands.
    private static func places(_ head: CSVReader.Row, _ path: String) throws -> [Int] {
        var names = head.cells.map { String(decoding: $0, as: UTF8.self) }
        // A spreadsheet gives every row as many cells as the widest.
        while names.last == "" { names.removeLast() }
        func refusal(_ what: String) -> Refusal {
            Refusal("line \(head.line) of \(path) \(what): its columns are \(header), in any order")
        }
        for name in names where !columns.contains(name) { throw refusal("names a column '\(name)', which is none") }
        for name in names where names.count(where: { $0 == name }) > 1 { throw refusal("names \(name) twice") }
        return try wanted.map { name in
            guard let place = names.firstIndex(of: name) else { throw refusal("names no column \(name)") }
            return place
        }
    }

    private mutating func take(_ row: CSVReader.Row, _ places: [Int], width: Int) {
        let line = row.line
        guard row.cells.count == width || row.cells.count > width && row.cells[width...].allSatisfy(\.isEmpty) else {
            return errors.add(line, "\(row.cells.count) fields instead of \(width): \(Self.header)")
        }
        let before = errors.count
        let cells = places.map { row.cells[$0] }
        let numbers = [0, 2, 3, 4].map { column -> Int64 in
            if let number = Self.number(cells[column]) { return number }
            errors.add(line, "\(Self.wanted[column]) is not a whole number from 1 to 2^53-1")
            return 1
        }
        let country = Country(rawValue: String(decoding: cells[1], as: UTF8.self))
        if country == nil {
            errors.add(line, "countryISO is not \(Country.list)")
        }
        let date = Timestamp(String(decoding: cells[5], as: UTF8.self))
        if date == nil { errors.add(line, "date is no RFC 3339 time such as 2026-12-01T14:00:00Z") }
        guard errors.count == before, let country, let date, let schedule = ScheduleID(numbers[0]) else { return }
        if let first = lines[schedule] {
            return errors.add(line, "scheduleId \(schedule.number) stands in line \(first) too: leave one out")
        }
        lines[schedule] = line
        let slot = Slot(
            schedule: schedule, center: numbers[1], specialty: numbers[2], medic: numbers[3], date: date)
        slots.append((country, slot))
    }

    private static func number(_ cell: [UInt8]) -> Int64? {
        guard !cell.isEmpty, cell.count <= 16, cell.allSatisfy({ $0.isDigit }) else { return nil }
        let number = cell.reduce(Int64(0)) { $0 * 10 + Int64($1 - 48) }
        return ScheduleID(number)?.number
    }

    /// Notes what the databases refuse of the lines that were read.
    mutating func note(_ refusals: [SlotRefusal]) {
        for (line, refusal) in refusals.map({ (lines[$0.schedule] ?? 0, $0) }).sorted(by: { $0.0 < $1.0 }) {
            errors.add(line, refusal.message)
        }
    }

    /// How many of some slots nobody can book, by reason, in words; nil for none.
    static func unbookable(_ reasons: [UnbookableReason]) -> String? {
        let parts = UnbookableReason.allCases.compactMap { reason -> String? in
            let count = reasons.count { $0 == reason }
            if count == 0 { return nil }
            return switch reason {
            case .past: "\(count) in the past"
            case .closed: "\(count) outside the opening hours"
            case .betweenMinutes: "\(count) not on a whole minute"
            }
        }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }
}
