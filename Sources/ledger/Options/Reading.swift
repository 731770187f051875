import Appointments
import ArgumentParser
import EventStore
import Glibc
import Handlers
import Projections
import Replay

/// Reads the values of the domain from arguments, as strictly as the API does.
enum Reading {
    static func moment(_ text: String) throws -> Timestamp {
        try require(Timestamp(text), "'\(text)' is no time: write it as 2026-11-24T07:10:53Z")
    }

    /// A position of the log, or a time.
    static func positionOrTime(_ text: String) throws -> Moment {
        if let position = Int(text), position >= 0 { return .position(position) }
        let time = try require(
            Timestamp(text), "'\(text)' is no position and no time: write it as 17 or as 2026-11-24T07:10:53Z")
        return .time(time)
    }

    static func appointment(_ text: String) throws -> AppointmentID {
        try require(AppointmentID(text), "'\(text)' is no appointment id: it is a UUID")
    }

    /// An insured id; with `-` from standard input, since a program's arguments stand in the list of processes, for
    /// every user to read, and in histories of shells.
    static func insured(_ text: String) throws -> InsuredID {
        guard text == "-" else { return try require(InsuredID(text), "an insured id is exactly five digits") }
        let line = try require(firstLine, "standard input held no line: write the insured id's five digits there")
        return try require(InsuredID(line), "the first line of standard input is no insured id: exactly five digits")
    }

    /// Read once, however often the parser asks.
    private static let firstLine: String? = {
        if isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 {
            Logs.write(Array("ledger: which insured id? Five digits:\n".utf8))
        }
        return readLine()
    }()

    static func schedule(_ text: String) throws -> ScheduleID {
        try require(Int64(text).flatMap(ScheduleID.init), "'\(text)' is no schedule id: it is 1 to 2^53-1")
    }

    static func country(_ text: String) throws -> Country {
        try require(Country(rawValue: text), "'\(text)' is no country: it is \(Country.list)")
    }

    static func status(_ text: String) throws -> AppointmentStatus {
        let statuses = AppointmentStatus.allCases.map(\.rawValue).joined(separator: ", ")
        return try require(AppointmentStatus(rawValue: text), "'\(text)' is no status: take \(statuses)")
    }

    static func eventType(_ text: String) throws -> EventType {
        let types = EventType.allCases.map(\.rawValue).joined(separator: ", ")
        return try require(EventType(rawValue: text), "'\(text)' is no kind of event: take \(types)")
    }

    static func queue(_ text: String) throws -> QueueName {
        let queues = QueueName.allCases.map(\.rawValue).joined(separator: ", ")
        return try require(QueueName(rawValue: text), "'\(text)' is no queue: take \(queues)")
    }

    static func role(_ text: String) throws -> Role {
        let roles = Role.allCases.map(\.rawValue).joined(separator: ", ")
        return try require(Role(rawValue: text), "'\(text)' is no role: take \(roles)")
    }

    static func consumer(_ text: String) throws -> ConsumerName {
        let known = Ledger.consumers
        return try require(
            known.first { $0.name == text || $0.description == text },
            "'\(text)' is no projection: take \(known.map(\.name).joined(separator: " or "))")
    }

    /// - Throws: when a text can't name a checkpoint or a set of tables.
    static func requireName(_ name: String) throws {
        guard ViewCopy.isName(name) else {
            throw ValidationError("'\(name)' is no name: take 1 to 32 of a to z, 0 to 9 and _")
        }
        if PersonNumbers.isFound(in: name) {
            throw ValidationError("a name must not hold a run of exactly five digits: it could be a person's number")
        }
    }

    /// - Throws: when a text can't name a set of tables that an operator makes.
    static func requireSetName(_ name: String) throws {
        try requireName(name)
        guard ![ViewCopy.next, ViewCopy.kept, ViewCopy.dryRun].contains(name) else {
            throw ValidationError("\(name) is a set of rebuilds: take another name")
        }
    }

    private static func require<Value>(_ value: Value?, _ message: String) throws -> Value {
        guard let value else { throw ValidationError(message) }
        return value
    }
}
