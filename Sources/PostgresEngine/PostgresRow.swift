package import EventStore

/// Where the columns of rows lie in memory.
protocol RowMemory: AnyObject {
    /// How many columns a row has.
    var width: Int { get }

    /// The type of a column, counted from 0.
    func type(_ column: Int) -> PostgresType

    /// The name of a column, as errors show it.
    func name(_ column: Int) -> String

    /// The bytes of a column, valid as long as this object lives; nil for NULL.
    func cell(_ column: Int, ofRow row: Int) -> UnsafeRawBufferPointer?
}

/// One row of a result. Columns are counted from 0.
///
/// Every reader throws `corrupt` for NULL and for a value that Swift can't hold, and `invalid` for a column of another
/// type. The errors name the column and its type, and never what is in it.
package struct PostgresRow {
    private let memory: any RowMemory
    private let row: Int

    init(_ memory: any RowMemory, row: Int) { (self.memory, self.row) = (memory, row) }

    /// Whether a column is NULL.
    package func isNull(_ column: Int) -> Bool {
        column < memory.width && memory.cell(column, ofRow: row) == nil
    }

    /// What `read` gives for a column, such as `row.ifPresent(2, row.text)`; nil for NULL.
    package func ifPresent<Value>(_ column: Int, _ read: (Int) throws -> Value) rethrows -> Value? {
        isNull(column) ? nil : try read(column)
    }

    /// An integer of any width.
    package func int(_ column: Int) throws -> Int {
        let cell = try cell(column, .int2, .int4, .int8, .oid)
        return switch cell.count {
        case 8: Int(cell.bigEndian(Int64.self))
        case 4 where memory.type(column) == .oid: Int(cell.bigEndian(UInt32.self))
        case 4: Int(cell.bigEndian(Int32.self))
        default: Int(cell.bigEndian(Int16.self))
        }
    }

    /// A truth value.
    package func bool(_ column: Int) throws -> Bool { try cell(column, .bool)[0] != 0 }

    /// A text, or the label of an enumeration.
    package func text(_ column: Int) throws -> String {
        let cell = try cell(column)
        guard memory.type(column).isText else { throw mismatch(column) }
        guard let text = String(validating: cell, as: UTF8.self) else { throw damaged(column, "is not UTF-8") }
        return text
    }

    /// Bytes, of a `bytea`.
    package func bytes(_ column: Int) throws -> [UInt8] { Array(try cell(column, .bytes)) }

    /// A digest, of a `bytea` with 32 bytes.
    package func hash(_ column: Int) throws -> Hash {
        guard let hash = Hash(raw: try cell(column, .bytes)) else { throw damaged(column, "has not 32 bytes") }
        return hash
    }

    /// A UUID.
    package func uuid(_ column: Int) throws -> Identifier {
        guard let uuid = Identifier(raw: try cell(column, .uuid)) else { throw damaged(column, "has not 16 bytes") }
        return uuid
    }

    /// A moment, of a `timestamptz`. What is finer than a millisecond is cut off.
    package func moment(_ column: Int) throws -> Timestamp {
        let microseconds = try cell(column, .moment).bigEndian(Int64.self)
        let milliseconds = microseconds.flooringDivision(by: 1000)
            .addingReportingOverflow(PostgresType.epochMilliseconds)
        guard !milliseconds.overflow, Timestamp.bounds.contains(milliseconds.partialValue) else {
            throw damaged(column, "is not within the years 0 to 9999")
        }
        return Timestamp(milliseconds: milliseconds.partialValue)
    }

    /// A day.
    package func date(_ column: Int) throws -> CivilDate {
        let days = Int(try cell(column, .date).bigEndian(Int32.self)) + PostgresType.epochDays
        let first = Timestamp.bounds.lowerBound.flooringDivision(by: 86_400_000)
        let last = Timestamp.bounds.upperBound.flooringDivision(by: 86_400_000)
        guard (first...last).contains(Int64(days)) else { throw damaged(column, "is not within the years 0 to 9999") }
        return CivilDate(daysSinceEpoch: days)
    }

    /// A JSON text, of a `json` or `jsonb`.
    package func json(_ column: Int) throws -> [UInt8] {
        let cell = try cell(column, .json, .jsonb)
        guard memory.type(column) == .jsonb else { return Array(cell) }
        guard cell.first == PostgresValue.jsonbVersion else { throw damaged(column, "is of a newer kind of jsonb") }
        return Array(cell.dropFirst())
    }

    // The pointer that is given out is used within one reader, while the row keeps its memory alive.
    private func cell(_ column: Int, _ types: PostgresType...) throws -> UnsafeRawBufferPointer {
        guard column < memory.width else {
            throw EventStoreError(.invalid, message: "a row of \(memory.width) columns was asked for column \(column)")
        }
        guard types.isEmpty || types.contains(memory.type(column)) else { throw mismatch(column) }
        guard let cell = memory.cell(column, ofRow: row) else { throw damaged(column, "is NULL") }
        return cell
    }

    private func mismatch(_ column: Int) -> EventStoreError {
        EventStoreError(
            .invalid,
            message: "column \(memory.name(column)) is of type \(memory.type(column)): read it as that, or write a cast"
        )
    }

    private func damaged(_ column: Int, _ what: String) -> EventStoreError {
        EventStoreError(
            .corrupt, message: "column \(memory.name(column)) of the database \(what): find out who wrote it")
    }
}

extension UnsafeRawBufferPointer {
    /// The integer that the buffer begins with, most significant byte first.
    func bigEndian<Value: FixedWidthInteger>(_: Value.Type, at offset: Int = 0) -> Value {
        Value(bigEndian: loadUnaligned(fromByteOffset: offset, as: Value.self))
    }
}
