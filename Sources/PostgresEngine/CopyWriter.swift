package import EventStore

/// Writes rows in the format of binary COPY (PostgreSQL's documentation, COPY, "Binary Format").
package final class CopyWriter {
    /// Enough that a call of libpq costs nothing in comparison.
    private static let bufferBytes = 64 * 1024
    private static let header: [UInt8] =
        Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00] + [UInt8](repeating: 0, count: 8)

    private let put: ([UInt8]) throws -> Void
    private var fields: CopyFields

    init(_ types: [PostgresType], put: @escaping ([UInt8]) throws -> Void) {
        (fields, self.put) = (CopyFields(types, bytes: Self.header), put)
        fields.reserve(Self.bufferBytes + Self.bufferBytes / 4)
    }

    /// Writes a row, its values in the order of the columns.
    package func row(_ values: PostgresValue...) throws { try row(values) }

    /// Writes a row, its values in the order of the columns.
    package func row(_ values: [PostgresValue]) throws {
        guard values.count == fields.types.count else {
            throw PostgresError("22P04", "a row of \(values.count) values was given for \(fields.types.count) columns")
        }
        try row { fields in for value in values { try fields.add(value) } }
    }

    /// Writes a row field by field: what a million rows are written with.
    package func row(_ write: (inout CopyFields) throws -> Void) throws {
        fields.begin()
        try write(&fields)
        try fields.end()
        if fields.bytes.count >= Self.bufferBytes { try flush() }
    }

    /// Writes the end of the rows.
    func finish() throws {
        fields.close()
        try flush()
    }

    private func flush() throws {
        try put(fields.bytes)
        fields.clear()
    }
}

/// The fields of a row that is being written, each as the type of its column.
package struct CopyFields {
    let types: [PostgresType]
    private(set) var bytes: [UInt8]
    private var column = 0

    init(_ types: [PostgresType], bytes: [UInt8]) { (self.types, self.bytes) = (types, bytes) }

    /// Adds the next field, of any kind.
    package mutating func add(_ value: PostgresValue) throws {
        let type = try next("a value")
        try value.appendField(as: type, to: &bytes, "column \(column) of the row")
    }

    /// Adds an integer of eight bytes.
    package mutating func int8(_ value: Int) throws {
        try require(.int8, "an integer of eight bytes")
        bytes.append(bigEndian: Int32(8))
        bytes.append(bigEndian: Int64(value))
    }

    /// Adds an integer of four bytes.
    package mutating func int4(_ value: Int) throws {
        try require(.int4, "an integer of four bytes")
        guard let narrow = Int32(exactly: value) else {
            throw PostgresError("22003", "column \(column) of the row does not fit into its type integer")
        }
        bytes.append(bigEndian: Int32(4))
        bytes.append(bigEndian: narrow)
    }

    /// Adds a text.
    package mutating func text(_ value: String) throws {
        let type = try next("a text")
        guard type.isText else { throw mismatch(type, "a text") }
        var value = value
        let holdsZero = value.withUTF8 { text in
            bytes.append(bigEndian: Int32(text.count))
            bytes.append(contentsOf: text)
            return text.contains(0)
        }
        if holdsZero { throw PostgresError("22021", "column \(column) of the row holds U+0000, which no text may") }
    }

    /// Adds bytes.
    package mutating func bytes(_ value: [UInt8]) throws {
        try require(.bytes, "bytes")
        bytes.append(bigEndian: Int32(value.count))
        bytes.append(contentsOf: value)
    }

    /// Adds the 32 bytes of a digest.
    package mutating func hash(_ value: Hash) throws {
        try require(.bytes, "bytes")
        bytes.append(bigEndian: Int32(32))
        value.withBytes { bytes.append(contentsOf: $0) }
    }

    /// Adds a UUID.
    package mutating func uuid(_ value: Identifier) throws {
        try require(.uuid, "a uuid")
        bytes.append(bigEndian: Int32(16))
        bytes.append(bigEndian: value.high)
        bytes.append(bigEndian: value.low)
    }

    /// Adds a moment.
    package mutating func moment(_ value: Timestamp) throws {
        try require(.moment, "a moment")
        bytes.append(bigEndian: Int32(8))
        bytes.append(bigEndian: (value.milliseconds - PostgresType.epochMilliseconds) * 1000)
    }

    /// Adds a null.
    package mutating func null() throws {
        _ = try next("null")
        bytes.append(bigEndian: Int32(-1))
    }
}

// MARK: - Rows

extension CopyFields {
    fileprivate mutating func reserve(_ count: Int) { bytes.reserveCapacity(count) }

    fileprivate mutating func begin() {
        column = 0
        bytes.append(bigEndian: Int16(types.count))
    }

    fileprivate func end() throws {
        guard column == types.count else {
            throw PostgresError("22P04", "a row of \(column) values was given for \(types.count) columns")
        }
    }

    fileprivate mutating func close() { bytes.append(bigEndian: Int16(-1)) }

    fileprivate mutating func clear() { bytes.removeAll(keepingCapacity: true) }

    private mutating func next(_ kind: StaticString) throws -> PostgresType {
        guard column < types.count else {
            throw PostgresError("22P04", "a row of more than \(types.count) values was given for as many columns")
        }
        column += 1
        return types[column - 1]
    }

    private mutating func require(_ type: PostgresType, _ kind: StaticString) throws {
        let wanted = try next(kind)
        if wanted != type { throw mismatch(wanted, kind) }
    }

    private func mismatch(_ type: PostgresType, _ kind: StaticString) -> PostgresError {
        PostgresError(
            "42804",
            """
            column \(column) of the row is to be of type \(type), and \(kind) was given: give another value, or write \
            a cast
            """)
    }
}
