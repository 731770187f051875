import EventStore

/// A result of a verb: it knows the columns that tables and CSV show of it, and writes itself as one JSON object.
protocol Row {
    /// The members that are columns, in order; `schedule.date` is a member of a member.
    static var columns: [String] { get }
    func write(to writer: inout JSONWriter)
}

/// A row whose members all are plain values.
protocol FieldRow: Row {
    typealias Fields = KeyValuePairs<String, @Sendable (Self) -> (any Field)?>
    /// The members by name, in order.
    static var fields: Fields { get }
    /// Members that are no columns.
    static var hidden: Set<String> { get }
}

extension FieldRow {
    static var hidden: Set<String> { [] }
    static var columns: [String] { fields.map(\.key).filter { !hidden.contains($0) } }

    func write(to writer: inout JSONWriter) { writer.object { write(membersTo: &$0) } }

    /// Writes the members into an object that has others as well.
    func write(membersTo writer: inout JSONWriter) {
        for (name, value) in Self.fields {
            writer.key(name)
            if let value = value(self) { value.write(to: &writer) } else { writer.null() }
        }
    }
}

/// A plain value of a row.
protocol Field {
    func write(to writer: inout JSONWriter)
}

extension String: Field {
    func write(to writer: inout JSONWriter) { writer.string(self) }
}

extension Int: Field {
    func write(to writer: inout JSONWriter) { writer.integer(self) }
}

extension Int64: Field {
    func write(to writer: inout JSONWriter) { writer.integer(self) }
}

extension Bool: Field {
    func write(to writer: inout JSONWriter) { writer.boolean(self) }
}

extension Timestamp: Field {
    func write(to writer: inout JSONWriter) { writer.string(description) }
}

extension Hash: Field {
    func write(to writer: inout JSONWriter) { writer.string(description) }
}
