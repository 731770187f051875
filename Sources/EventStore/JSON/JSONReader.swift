/// Reads JSON (RFC 8259) from bytes, one value after the other, and refuses what lenient readers let pass.
///
/// Refused: duplicate keys (by the caller or by `JSONValue`), trailing commas, a byte-order mark, invalid UTF-8,
/// control characters in strings, unpaired surrogates, leading zeros, and nesting beyond a limit. Entries, requests
/// and messages are all read with it; it decodes no number that is not a plain integer.
package struct JSONReader {
    let bytes: UnsafeBufferPointer<UInt8>
    /// The byte to be read next.
    package internal(set) var place = 0
    private var depth = 0
    private let maximumDepth: Int

    /// A reader over bytes that the caller keeps alive while it reads.
    package init(_ bytes: UnsafeBufferPointer<UInt8>, maximumDepth: Int = 32) {
        (self.bytes, self.maximumDepth) = (bytes, maximumDepth)
    }

    /// Reads exactly one value from some bytes: `body` reads it, then nothing but white space may follow.
    package static func read<Value>(
        _ bytes: [UInt8], maximumDepth: Int = 32, _ body: (inout JSONReader) throws(JSONError) -> Value
    ) throws(JSONError) -> Value {
        let result = bytes.withUnsafeBufferPointer { buffer -> Result<Value, JSONError> in
            var reader = JSONReader(buffer, maximumDepth: maximumDepth)
            do throws(JSONError) {
                let value = try body(&reader)
                reader.skipSpace()
                if reader.place < buffer.count { throw reader.error("something follows the value") }
                return .success(value)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// An error at the byte to be read next.
    package func error(_ message: String) -> JSONError { JSONError(message, at: place) }

    /// The first byte of the next value, which tells its kind; nil at the end.
    @inline(__always)
    package mutating func peek() -> UInt8? {
        skipSpace()
        return place < bytes.count ? bytes[place] : nil
    }

    @inline(__always)
    private mutating func skipSpace() {
        while place < bytes.count, bytes[place] == 0x20 || (bytes[place] <= 0x0D && isLineSpace(bytes[place])) {
            place += 1
        }
    }

    private func isLineSpace(_ byte: UInt8) -> Bool { byte == 0x0A || byte == 0x0D || byte == 0x09 }

    @inline(__always)
    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard peek() == UInt8(ascii: character) else { return false }
        place += 1
        return true
    }

    @inline(__always)
    mutating func expect(_ character: Unicode.Scalar) throws(JSONError) {
        guard take(character) else { throw error("expected '\(character)'") }
    }
}

// MARK: - Objects and arrays

extension JSONReader {
    /// Reads an object: `member` is called with each key and reads the value that belongs to it.
    package mutating func object(
        _ member: (_ key: String, _ reader: inout JSONReader) throws(JSONError) -> Void
    ) throws(JSONError) {
        try expect("{")
        try enter()
        if take("}") { return leave() }
        repeat {
            guard peek() == UInt8(ascii: "\"") else { throw error("expected a key in quotes") }
            let key = try string()
            try expect(":")
            try member(key, &self)
        } while take(",")
        try expect("}")
        leave()
    }

    /// Reads an array: `element` is called for each element and reads it.
    package mutating func array(_ element: (inout JSONReader) throws(JSONError) -> Void) throws(JSONError) {
        try expect("[")
        try enter()
        if take("]") { return leave() }
        repeat { try element(&self) } while take(",")
        try expect("]")
        leave()
    }

    mutating func enter() throws(JSONError) {
        depth += 1
        if depth > maximumDepth { throw error("nested deeper than \(maximumDepth)") }
    }

    mutating func leave() { depth -= 1 }

    /// Reads any value, checking it, and gives its bytes as they stand.
    package mutating func raw() throws(JSONError) -> [UInt8] {
        _ = peek()
        let start = place
        try skip()
        return Array(bytes[start..<place])
    }

    /// Reads any value and drops it; it is checked all the same.
    package mutating func skip() throws(JSONError) {
        switch peek() {
        case UInt8(ascii: "{"): try skipObject()
        case UInt8(ascii: "["): try array { reader throws(JSONError) in try reader.skip() }
        case UInt8(ascii: "\""): try skipString()
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        default: _ = try number()
        }
    }
}

// MARK: - Scalars

extension JSONReader {
    /// Reads `null` where it stands; false, and nothing read, where something else stands.
    package mutating func null() throws(JSONError) -> Bool {
        guard peek() == UInt8(ascii: "n") else { return false }
        try word("null")
        return true
    }

    /// Reads `true` or `false`.
    package mutating func boolean() throws(JSONError) -> Bool {
        let isTrue = peek() == UInt8(ascii: "t")
        try word(isTrue ? "true" : "false")
        return isTrue
    }

    private mutating func word(_ word: StaticString) throws(JSONError) {
        for index in 0..<word.utf8CodeUnitCount {
            guard place < bytes.count, bytes[place] == word.utf8Start[index] else {
                throw error("expected a JSON value")
            }
            place += 1
        }
    }

    /// Reads a whole number without fraction or exponent that fits 64 bits.
    package mutating func integer() throws(JSONError) -> Int64 {
        let lexeme = try number()
        guard let value = Self.integer(lexeme) else { throw error("expected a whole number of at most 64 bits") }
        return value
    }

    static func integer(_ lexeme: UnsafeBufferPointer<UInt8>.SubSequence) -> Int64? {
        var value: Int64 = 0
        let isNegative = lexeme.first == UInt8(ascii: "-")
        for byte in lexeme.dropFirst(isNegative ? 1 : 0) {
            guard byte.isDigit else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (next, carry) =
                isNegative
                ? product.subtractingReportingOverflow(Int64(byte - 48))
                : product.addingReportingOverflow(Int64(byte - 48))
            if overflow || carry { return nil }
            value = next
        }
        return value
    }

    /// Reads a number in the grammar of RFC 8259 and gives the bytes that write it.
    mutating func number() throws(JSONError) -> UnsafeBufferPointer<UInt8>.SubSequence {
        guard let first = peek(), first == UInt8(ascii: "-") || first.isDigit else {
            throw error("expected a JSON value")
        }
        let start = place
        if bytes[place] == UInt8(ascii: "-") { place += 1 }
        if place < bytes.count, bytes[place] == 48 { place += 1 } else { try digits() }
        if place < bytes.count, bytes[place] == UInt8(ascii: ".") {
            place += 1
            try digits()
        }
        if place < bytes.count, bytes[place] | 0x20 == UInt8(ascii: "e") {
            place += 1
            if place < bytes.count, bytes[place] == UInt8(ascii: "+") || bytes[place] == UInt8(ascii: "-") {
                place += 1
            }
            try digits()
        }
        return bytes[start..<place]
    }

    private mutating func digits() throws(JSONError) {
        let start = place
        while place < bytes.count, bytes[place].isDigit { place += 1 }
        if place == start { throw error("expected a digit") }
    }

    /// Reads a string and decodes its escapes.
    package mutating func string() throws(JSONError) -> String {
        try expect("\"")
        let start = place
        var isASCII: UInt8 = 0
        while place < bytes.count {
            let byte = bytes[place]
            if byte == UInt8(ascii: "\"") {
                let content = bytes[start..<place]
                let text =
                    isASCII < 0x80
                    ? String(decoding: content, as: UTF8.self) : String(validating: content, as: UTF8.self)
                guard let text else { throw error("a string is not valid UTF-8") }
                place += 1
                return text
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
            if byte < 0x20 { throw error("a control character stands unescaped in a string") }
            isASCII |= byte
            place += 1
        }
        throw error("a string does not end")
    }

    mutating func escapedString(from start: Int) throws(JSONError) -> String {
        var content = Array(bytes[start..<place])
        while place < bytes.count {
            let byte = bytes[place]
            if byte < 0x20 { throw error("a control character stands unescaped in a string") }
            place += 1
            if byte == UInt8(ascii: "\"") {
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw error("a string is not valid UTF-8")
                }
                return text
            }
            if byte == UInt8(ascii: "\\") {
                content.append(contentsOf: try escape())
            } else {
                content.append(byte)
            }
        }
        throw error("a string does not end")
    }

    private mutating func escape() throws(JSONError) -> [UInt8] {
        guard place < bytes.count else { throw error("a string does not end") }
        let byte = bytes[place]
        place += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"): return try unicodeEscape()
        default: throw error("unknown escape in a string")
        }
    }

    private mutating func unicodeEscape() throws(JSONError) -> [UInt8] {
        var value = try hexadecimal()
        if (0xD800..<0xDC00).contains(value) {
            guard place + 1 < bytes.count, bytes[place] == UInt8(ascii: "\\"), bytes[place + 1] == UInt8(ascii: "u")
            else { throw error("half of a surrogate pair in a string") }
            place += 2
            let low = try hexadecimal()
            guard (0xDC00..<0xE000).contains(low) else { throw error("half of a surrogate pair in a string") }
            value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(value) else { throw error("half of a surrogate pair in a string") }
        return Array(String(scalar).utf8)
    }

    private mutating func hexadecimal() throws(JSONError) -> UInt32 {
        guard place + 4 <= bytes.count else { throw error("a string does not end") }
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[place])).hexDigitValue else {
                throw error("expected four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            place += 1
        }
        return value
    }
}
