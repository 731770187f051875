import EventStore
import GRDB
import GRDBSQLite

/// The row that a SELECT stands at, read where SQLite holds it. Histories pass through here by the million, and GRDB's
/// own rows copy and check too much for that.
///
/// Good only until the next step of its statement; it leaves no function that it is given to.
struct StoredRow {
    fileprivate let statement: OpaquePointer

    func integer(_ column: CInt) -> Int { Int(sqlite3_column_int64(statement, column)) }

    func moment(_ column: CInt) -> Timestamp { Timestamp(milliseconds: sqlite3_column_int64(statement, column)) }

    func isNull(_ column: CInt) -> Bool { sqlite3_column_type(statement, column) == SQLITE_NULL }

    /// Whether columns that belong together have values; false when none has.
    ///
    /// - Throws: `corrupt` when only some have.
    func isWhole(_ columns: ClosedRange<CInt>) throws -> Bool {
        guard let empty = columns.first(where: isNull) else { return true }
        if columns.allSatisfy(isNull) { return false }
        throw damaged(empty)
    }

    /// The bytes of a blob or text; empty for NULL.
    func bytes(_ column: CInt) -> UnsafeRawBufferPointer {
        let start = sqlite3_column_blob(statement, column)
        return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column)))
    }

    /// The text of a text column; empty for NULL.
    func text(_ column: CInt) -> String { String(decoding: bytes(column), as: UTF8.self) }

    /// The 32 bytes of a digest column.
    func hash(_ column: CInt) throws -> Hash {
        guard let hash = Hash(raw: bytes(column)) else { throw damaged(column) }
        return hash
    }

    /// The 16 bytes of a UUID column.
    func identifier(_ column: CInt) throws -> Identifier {
        guard let id = Identifier(raw: bytes(column)) else { throw damaged(column) }
        return id
    }

    /// The value that a text column names.
    func value<Value: RawRepresentable>(_ column: CInt) throws -> Value where Value.RawValue == String {
        guard let value = Value(rawValue: text(column)) else { throw damaged(column) }
        return value
    }

    func damaged(_ column: CInt) -> EventStoreError {
        let name = sqlite3_column_name(statement, column).map { String(cString: $0) } ?? "\(column)"
        return EventStoreError(
            .corrupt, message: "column \(name) holds what this program never writes: run `ledger verify`")
    }
}

/// The arguments of a statement that is run for one row after the other, bound without a value for each in between.
struct Binding {
    fileprivate let statement: OpaquePointer

    /// SQLite copies what it is given.
    private static let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    func set(_ index: CInt, _ value: Int64?) {
        if let value { sqlite3_bind_int64(statement, index, value) } else { sqlite3_bind_null(statement, index) }
    }

    func set(_ index: CInt, _ text: String?) {
        guard var text else {
            sqlite3_bind_null(statement, index)
            return
        }
        text.withUTF8 { bytes in
            guard let start = bytes.baseAddress, !bytes.isEmpty else {
                // No address would bind NULL.
                sqlite3_bind_text(statement, index, "", 0, Self.copied)
                return
            }
            _ = start.withMemoryRebound(to: CChar.self, capacity: bytes.count) {
                sqlite3_bind_text(statement, index, $0, CInt(bytes.count), Self.copied)
            }
        }
    }

    func set(_ index: CInt, _ bytes: UnsafeRawBufferPointer) {
        sqlite3_bind_blob(statement, index, bytes.baseAddress, CInt(bytes.count), Self.copied)
    }

    func set(_ index: CInt, _ id: Identifier) {
        withUnsafeBytes(of: (id.high.bigEndian, id.low.bigEndian)) { set(index, $0) }
    }
}

extension Database {
    /// Gives each row of a statement that is compiled once to `body`.
    func each(
        _ sql: String, _ arguments: StatementArguments = [], _ body: (StoredRow) throws -> Void
    ) throws {
        let cached = try cachedStatement(sql: sql)
        cached.setUncheckedArguments(arguments)
        let statement = cached.sqliteStatement
        defer { sqlite3_reset(statement) }
        while true {
            let code = sqlite3_step(statement)
            if code == SQLITE_DONE { return }
            guard code == SQLITE_ROW else { throw failure(code) }
            try body(StoredRow(statement: statement))
        }
    }

    /// Reads each row of a statement that is compiled once.
    func stored<Value>(
        _ sql: String, _ arguments: StatementArguments = [], _ read: (StoredRow) throws -> Value
    ) throws -> [Value] {
        var values: [Value] = []
        try each(sql, arguments) { values.append(try read($0)) }
        return values
    }

    /// Runs a statement that is compiled once for each of some values.
    func run<Values: Sequence>(
        _ sql: String, forEach values: Values, _ bind: (Values.Element, Binding) -> Void
    ) throws {
        let statement = try cachedStatement(sql: sql).sqliteStatement
        for value in values {
            sqlite3_reset(statement)
            bind(value, Binding(statement: statement))
            let code = sqlite3_step(statement)
            guard code == SQLITE_DONE else {
                let failure = failure(code)
                sqlite3_reset(statement)
                throw failure
            }
        }
        sqlite3_reset(statement)
        sqlite3_clear_bindings(statement)
    }

    private func failure(_ code: CInt) -> DatabaseError {
        DatabaseError(
            resultCode: ResultCode(rawValue: code),
            message: sqliteConnection.map { String(cString: sqlite3_errmsg($0)) })
    }
}
