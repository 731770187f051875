import Appointments
import EventStore
import Projections

/// The columns of `ledger.entries`, in the order in which they are written and read.
enum EntryColumns {
    static let withoutPosition =
        "at, stream, id, version, type, country, actor, correlation, leaf, previous, entry, sealed"
    static let list = "position, " + withoutPosition

    static func write(_ event: RecordedEvent, at position: Int, to fields: inout CopyFields) throws {
        let entry = event.entry
        try fields.int8(position)
        try fields.moment(entry.at)
        try fields.uuid(entry.stream.id)
        try fields.uuid(entry.id)
        try fields.int4(entry.version)
        try fields.text(entry.type)
        try fields.text(entry.country)
        try fields.text(entry.actor)
        try fields.text(entry.correlation)
        try fields.hash(event.leaf)
        if let previous = entry.previous { try fields.hash(previous) } else { try fields.null() }
        try fields.bytes(entry.bytes)
        if let sealed = SealedJSON.encode(event.sealed) { try fields.bytes(sealed) } else { try fields.null() }
    }

    /// The event of a row, checked against its hash and its place. A changed column would hide an event from a query
    /// and leave every hash whole, so the columns are compared with the entry.
    ///
    /// - Throws: `corrupt` with the position.
    static func read(_ row: PostgresRow) throws -> RecordedEvent {
        let position = try row.int(0)
        let sealed: [String: [UInt8]]
        do {
            sealed = try row.ifPresent(12, row.bytes).map(SealedJSON.decode) ?? [:]
        } catch is JSONError {
            throw EventStoreError(.corrupt, message: "the sealed fields of position \(position) can't be read")
        }
        let event = try RecordedEvent(
            position: position, stream: StreamID(try row.uuid(2)), version: try row.int(4), entry: try row.bytes(11),
            leaf: try row.hash(9), sealed: sealed)
        let entry = event.entry
        let isTrue =
            try row.moment(1) == entry.at && row.uuid(3) == entry.id && row.text(5) == entry.type
            && row.text(6) == entry.country && row.text(7) == entry.actor && row.text(8) == entry.correlation
            && row.ifPresent(10, row.hash) == entry.previous
        guard isTrue else {
            throw EventStoreError(
                .corrupt,
                message: "a column of position \(position) in the mirror differs from its entry: run `ledger verify`")
        }
        return event
    }
}

/// The columns of `ledger.appointments`, in the order in which they are written and read.
enum RowColumns {
    private static let names = [
        "appointment", "insured", "country", "schedule", "created", "status", "updated", "processed", "center",
        "specialty", "medic", "date", "reason", "message", "version", "leaf",
    ]
    static let list = names.joined(separator: ", ")

    static func list(of table: String) -> String { names.map { "\(table).\($0)" }.joined(separator: ", ") }

    static let assignments = names.dropFirst().map { "\($0) = excluded.\($0)" }.joined(separator: ", ")

    static func values(of row: AppointmentRow) -> [PostgresValue] {
        [
            .uuid(row.appointment.id), .ifPresent(row.insured) { .text($0.digits) }, .text(row.country.code),
            .int8(Int(row.schedule.number)), .moment(row.createdAt), .text(row.status.rawValue),
            .moment(row.updatedAt), .ifPresent(row.processedAt) { .moment($0) },
            .ifPresent(row.slot) { .int8(Int($0.center)) }, .ifPresent(row.slot) { .int8(Int($0.specialty)) },
            .ifPresent(row.slot) { .int8(Int($0.medic)) }, .ifPresent(row.slot) { .moment($0.date) },
            .ifPresent(row.failure) { .text($0.reason.rawValue) }, .ifPresent(row.failure) { .text($0.message) },
            .int4(row.version), .hash(row.leaf),
        ]
    }

    /// The row that begins at a column.
    ///
    /// - Throws: `corrupt` for values that no row of the view has.
    static func read(_ row: PostgresRow, from column: Int = 0) throws -> AppointmentRow {
        let id = AppointmentID(try row.uuid(column))
        func value<Value>(_ value: Value?) throws -> Value {
            guard let value else {
                throw EventStoreError(
                    .corrupt, message: "the mirror's row of \(id) has a value that no row has: run `ledger verify`")
            }
            return value
        }
        /// Columns that belong together have all values, or none.
        func isWhole(_ columns: ClosedRange<Int>) throws -> Bool {
            let isEmpty = columns.map(row.isNull)
            return try value(Set(isEmpty).count == 1 ? !isEmpty[0] : nil)
        }
        let schedule = try value(ScheduleID(Int64(try row.int(column + 3))))
        return AppointmentRow(
            appointment: id,
            insured: try row.ifPresent(column + 1) { try value(InsuredID(try row.text($0))) },
            country: try value(Country(rawValue: try row.text(column + 2))), schedule: schedule,
            createdAt: try row.moment(column + 4),
            status: try value(AppointmentStatus(rawValue: try row.text(column + 5))),
            updatedAt: try row.moment(column + 6), processedAt: try row.ifPresent(column + 7, row.moment),
            slot: try isWhole(column + 8...column + 11)
                ? Slot(
                    schedule: schedule, center: Int64(try row.int(column + 8)),
                    specialty: Int64(try row.int(column + 9)), medic: Int64(try row.int(column + 10)),
                    date: try row.moment(column + 11)) : nil,
            failure: try isWhole(column + 12...column + 13)
                ? .init(
                    reason: try value(FailureReason(rawValue: try row.text(column + 12))),
                    message: try row.text(column + 13)) : nil, version: try row.int(column + 14),
            leaf: try row.hash(column + 15))
    }
}
