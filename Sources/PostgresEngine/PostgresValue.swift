package import EventStore

/// A parameter of a statement, or a column of a copied row.
///
/// It is sent in binary, as the type that the server expects in its place: an integer of any width fits where an
/// integer is expected and the number is in its range; a text fits a `text`, an enumeration and `json`.
package enum PostgresValue: Sendable {
    case null
    case bool(Bool)
    case int2(Int)
    case int4(Int)
    case int8(Int)
    case text(String)
    case bytes([UInt8])
    /// The 32 bytes of a digest, as `bytea`.
    case hash(Hash)
    case uuid(Identifier)
    /// A `timestamptz`.
    case moment(Timestamp)
    case date(CivilDate)
    /// A JSON text, as `json` or `jsonb`.
    case json([UInt8])
    /// A one-dimensional array; its elements may be null.
    case array([PostgresValue])

    /// The value that `make` gives for something that is there, else null.
    package static func ifPresent<Value>(_ value: Value?, _ make: (Value) -> PostgresValue) -> PostgresValue {
        value.map(make) ?? .null
    }
}

extension PostgresValue {
    /// Appends the binary form of the value as a type; false, and nothing appended, for null.
    ///
    /// - Parameter place: what the value is for, as an error names it.
    func encode(as type: PostgresType, into bytes: inout [UInt8], _ place: @autoclosure () -> String) throws -> Bool {
        switch (self, type) {
        case (.null, _): return false
        case (.bool(let value), .bool): bytes.append(value ? 1 : 0)
        case (.int2(let value), _), (.int4(let value), _), (.int8(let value), _):
            try Self.encode(value, as: type, into: &bytes, place())
        case (.text(let value), _) where type.isText: try Self.append(value.utf8, to: &bytes, place())
        case (.text(let value), .json): try Self.append(value.utf8, to: &bytes, place())
        case (.json(let value), .json): try Self.append(value, to: &bytes, place())
        case (.text(let value), .jsonb):
            bytes.append(Self.jsonbVersion)
            try Self.append(value.utf8, to: &bytes, place())
        case (.json(let value), .jsonb):
            bytes.append(Self.jsonbVersion)
            try Self.append(value, to: &bytes, place())
        case (.bytes(let value), .bytes): bytes += value
        case (.hash(let value), .bytes): value.withBytes { bytes += $0 }
        case (.uuid(let value), .uuid):
            bytes.append(bigEndian: value.high)
            bytes.append(bigEndian: value.low)
        case (.moment(let value), .moment):
            bytes.append(bigEndian: (value.milliseconds - PostgresType.epochMilliseconds) * 1000)
        case (.date(let value), .date):
            bytes.append(bigEndian: Int32(value.daysSinceEpoch - PostgresType.epochDays))
        case (.array(let values), _):
            guard let element = type.element else { throw mismatch(type, place()) }
            try Self.encode(values, of: element, into: &bytes, place())
        default: throw mismatch(type, place())
        }
        return true
    }

    /// The one version of the binary form of `jsonb` that there is.
    static let jsonbVersion: UInt8 = 1

    private static func encode(
        _ value: Int, as type: PostgresType, into bytes: inout [UInt8], _ place: @autoclosure () -> String
    ) throws {
        switch type {
        case .int8: bytes.append(bigEndian: value)
        case .int4: bytes.append(bigEndian: try exactly(value, Int32.self, type, place()))
        case .int2: bytes.append(bigEndian: try exactly(value, Int16.self, type, place()))
        case .oid: bytes.append(bigEndian: try exactly(value, UInt32.self, type, place()))
        case .float8: bytes.append(bigEndian: Double(value).bitPattern)
        default: throw PostgresValue.int8(0).mismatch(type, place())
        }
    }

    private static func exactly<Narrow: FixedWidthInteger>(
        _ value: Int, _: Narrow.Type, _ type: PostgresType, _ place: @autoclosure () -> String
    ) throws -> Narrow {
        guard let narrow = Narrow(exactly: value) else {
            throw PostgresError("22003", "\(place()) does not fit into its type \(type)")
        }
        return narrow
    }

    /// Appends a text. PostgreSQL can't hold U+0000 in one, and would say so only once it is on its way.
    private static func append(
        _ text: some Collection<UInt8>, to bytes: inout [UInt8], _ place: @autoclosure () -> String
    ) throws {
        if text.contains(0) { throw PostgresError("22021", "\(place()) holds U+0000, which no text may") }
        bytes += text
    }

    private static func encode(
        _ values: [PostgresValue], of element: PostgresType, into bytes: inout [UInt8],
        _ place: @autoclosure () -> String
    ) throws {
        let holdsNull = values.contains { if case .null = $0 { true } else { false } }
        bytes.append(bigEndian: Int32(values.isEmpty ? 0 : 1))
        bytes.append(bigEndian: Int32(holdsNull ? 1 : 0))
        bytes.append(bigEndian: element.oid)
        if values.isEmpty { return }
        bytes.append(bigEndian: Int32(values.count))
        bytes.append(bigEndian: Int32(1))
        for value in values { try value.appendField(as: element, to: &bytes, "an element of \(place())") }
    }

    /// Appends the value with its length before it; null has the length -1.
    func appendField(as type: PostgresType, to bytes: inout [UInt8], _ place: @autoclosure () -> String) throws {
        let start = bytes.count
        bytes.append(bigEndian: Int32(-1))
        guard try encode(as: type, into: &bytes, place()) else { return }
        let length = UInt32(bytes.count - start - 4)
        for byte in 0..<4 { bytes[start + byte] = UInt8(truncatingIfNeeded: length >> (24 - 8 * UInt32(byte))) }
    }

    private func mismatch(_ type: PostgresType, _ place: String) -> PostgresError {
        PostgresError(
            "42804", "\(place) is to be of type \(type), and \(kind) was given: give another value, or write a cast")
    }

    private var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a bool"
        case .int2, .int4, .int8: "an integer"
        case .text: "a text"
        case .bytes, .hash: "bytes"
        case .uuid: "a uuid"
        case .moment: "a moment"
        case .date: "a date"
        case .json: "json"
        case .array: "an array"
        }
    }
}

extension [UInt8] {
    /// Appends an integer, most significant byte first.
    mutating func append(bigEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }
}
