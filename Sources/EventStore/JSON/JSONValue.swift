/// A JSON value whose shape is not known in advance: a request, a message. Members keep their order.
package enum JSONValue: Equatable, Sendable {
    case null
    case boolean(Bool)
    /// A whole number written without fraction or exponent that fits 64 bits.
    case integer(Int64)
    /// Any other number, as it was written: `100.0`, `1e2`.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([(key: String, value: JSONValue)])

    package static func == (left: JSONValue, right: JSONValue) -> Bool { left.bytes == right.bytes }
}

// MARK: - Reading

extension JSONValue {
    /// Reads exactly one value. Duplicate keys are refused, also those that only escapes tell apart.
    package init(_ bytes: [UInt8], maximumDepth: Int = 32) throws(JSONError) {
        self = try JSONReader.read(bytes, maximumDepth: maximumDepth) { reader throws(JSONError) in
            try JSONValue(from: &reader)
        }
    }

    package init(from reader: inout JSONReader) throws(JSONError) {
        switch reader.peek() {
        case UInt8(ascii: "{"): self = try Self.object(from: &reader)
        case UInt8(ascii: "["):
            var elements: [JSONValue] = []
            try reader.array { reader throws(JSONError) in elements.append(try JSONValue(from: &reader)) }
            self = .array(elements)
        case UInt8(ascii: "\""): self = .string(try reader.string())
        case UInt8(ascii: "t"), UInt8(ascii: "f"): self = .boolean(try reader.boolean())
        case UInt8(ascii: "n"):
            _ = try reader.null()
            self = .null
        default:
            let lexeme = try reader.number()
            self = JSONReader.integer(lexeme).map(Self.integer) ?? .number(String(decoding: lexeme, as: UTF8.self))
        }
    }

    private static func object(from reader: inout JSONReader) throws(JSONError) -> JSONValue {
        var members: [(key: String, value: JSONValue)] = []
        var seen: Set<[UInt8]> = []
        try reader.object { key, reader throws(JSONError) in
            // Keys are compared as bytes: Swift's string equality would also join canonically equivalent ones.
            guard seen.insert(Array(key.utf8)).inserted else {
                throw JSONError("a key appears twice", at: reader.place, duplicateKey: String(key.prefix(64)))
            }
            members.append((key, try JSONValue(from: &reader)))
        }
        return .object(members)
    }

    /// The value of a member of an object; nil where there is none or this is no object.
    package subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key.utf8.elementsEqual(key.utf8) }?.value
    }

    /// The text of a string; nil for any other value.
    package var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// The elements of an array; none for any other value.
    package var elements: [JSONValue] {
        if case .array(let elements) = self { elements } else { [] }
    }

    /// The value of a whole number; nil for any other value.
    package var whole: Int64? {
        guard case .integer(let value) = self else { return nil }
        return value
    }
}

// MARK: - Writing

extension JSONValue {
    /// The value as JSON without spaces, members in their order.
    package var bytes: [UInt8] {
        var writer = JSONWriter()
        writer.value(self)
        return writer.bytes
    }
}

extension JSONWriter {
    /// Writes any value.
    package mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .boolean(let flag): boolean(flag)
        case .integer(let number): integer(number)
        case .number(let lexeme): raw(Array(lexeme.utf8))
        case .string(let text): string(text)
        case .array(let elements): array { for element in elements { $0.value(element) } }
        case .object(let members): object { for (key, value) in members { $0.member(key) { $0.value(value) } } }
        }
    }
}
