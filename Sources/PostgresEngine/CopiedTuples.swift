import CPostgres
import EventStore

/// One message of a copy, in libpq's memory.
final class CopiedBuffer {
    let bytes: UnsafeRawBufferPointer
    private let start: UnsafeMutablePointer<CChar>

    init(_ start: UnsafeMutablePointer<CChar>, count: Int) {
        self.start = start
        bytes = UnsafeRawBufferPointer(start: start, count: count)
    }

    deinit { PQfreemem(start) }
}

/// Reads the rows of a binary COPY. A message of the server holds whole rows, the first one also the header.
struct CopiedTuples {
    private static let headerBytes = 19

    private let types: [PostgresType]
    private var isBegun = false
    /// How many rows were read.
    private(set) var count = 0

    init(_ types: [PostgresType]) { self.types = types }

    /// Reads the rows of a message.
    mutating func read(_ buffer: CopiedBuffer, _ body: (PostgresRow) throws -> Void) throws {
        var place = 0
        if !isBegun {
            guard buffer.bytes.count >= Self.headerBytes else { throw Self.unreadable }
            let extensionBytes = Int(buffer.bytes.bigEndian(UInt32.self, at: Self.headerBytes - 4))
            place = Self.headerBytes + extensionBytes
            isBegun = true
        }
        while place < buffer.bytes.count {
            guard let row = try CopiedRow(buffer, at: &place, types) else { return }
            count += 1
            try body(PostgresRow(row, row: 0))
        }
    }

    static var unreadable: PostgresError { .lost("a copy is not in the binary format", sqlState: "08P01") }
}

/// A row of a copy.
final class CopiedRow: RowMemory {
    private let buffer: CopiedBuffer
    private let types: [PostgresType]
    private var cells: [UnsafeRawBufferPointer?] = []

    /// Nil at the end of all rows.
    init?(_ buffer: CopiedBuffer, at place: inout Int, _ types: [PostgresType]) throws {
        (self.buffer, self.types) = (buffer, types)
        let bytes = buffer.bytes
        func take<Value: FixedWidthInteger>(_: Value.Type) throws -> Value {
            guard place + Value.bitWidth / 8 <= bytes.count else { throw CopiedTuples.unreadable }
            defer { place += Value.bitWidth / 8 }
            return bytes.bigEndian(Value.self, at: place)
        }
        let width = try take(Int16.self)
        if width < 0 { return nil }
        guard Int(width) == types.count else {
            throw EventStoreError(
                .invalid, message: "a copy has \(width) columns, \(types.count) types were given: name each column")
        }
        cells.reserveCapacity(types.count)
        for _ in types {
            let length = Int(try take(Int32.self))
            if length < 0 {
                cells.append(nil)
                continue
            }
            guard place + length <= bytes.count else { throw CopiedTuples.unreadable }
            cells.append(UnsafeRawBufferPointer(rebasing: bytes[place..<place + length]))
            place += length
        }
    }

    var width: Int { types.count }

    func type(_ column: Int) -> PostgresType { types[column] }

    func name(_ column: Int) -> String { "\(column)" }

    func cell(_ column: Int, ofRow row: Int) -> UnsafeRawBufferPointer? { cells[column] }
}
