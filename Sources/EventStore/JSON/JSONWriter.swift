/// Writes JSON without spaces, members in the order in which they are written.
///
/// The bytes of an entry are hashed, so there is one way to write each value: strings escape only `"`, `\` and
/// control characters (as `\u00xx`), everything else is UTF-8 as it stands; numbers are whole.
package struct JSONWriter {
    /// What was written so far.
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init(reservingCapacity capacity: Int = 256) { bytes.reserveCapacity(capacity) }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    /// Writes an object whose members `content` writes.
    package mutating func object(_ content: (inout JSONWriter) -> Void) {
        separate()
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
        content(&self)
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    /// Writes an array whose elements `content` writes.
    package mutating func array(_ content: (inout JSONWriter) -> Void) {
        separate()
        bytes.append(UInt8(ascii: "["))
        needsComma = false
        content(&self)
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    /// Writes the key of a member; the next thing written is its value.
    package mutating func key(_ key: String) {
        separate()
        quote(key)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// Writes a member whose value `value` writes.
    package mutating func member(_ name: String, _ value: (inout JSONWriter) -> Void) {
        key(name)
        value(&self)
    }

    /// Writes a string, escaped.
    package mutating func string(_ text: String) {
        separate()
        quote(text)
    }

    /// Writes an integer in decimal.
    package mutating func integer(_ value: some BinaryInteger) {
        separate()
        bytes.append(contentsOf: String(value).utf8)
    }

    /// Writes `true` or `false`.
    package mutating func boolean(_ value: Bool) { raw(Array((value ? "true" : "false").utf8)) }

    /// Writes `null`.
    package mutating func null() {
        separate()
        bytes.append(contentsOf: [0x6E, 0x75, 0x6C, 0x6C])
    }

    /// Writes bytes that are JSON already, as they stand.
    package mutating func raw(_ json: [UInt8]) {
        separate()
        bytes.append(contentsOf: json)
    }

    /// Writes bytes as a string of base64 with padding.
    package mutating func base64(_ content: [UInt8]) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        Base64.append(content, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func quote(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
            bytes.append(contentsOf: text.utf8)
            bytes.append(UInt8(ascii: "\""))
            return
        }
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20:
                bytes.append(contentsOf: [0x5C, 0x75, 0x30, 0x30, Self.hexadecimal[Int(byte >> 4)]])
                bytes.append(Self.hexadecimal[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static let hexadecimal = Array("0123456789abcdef".utf8)
}

// MARK: - Members

extension JSONWriter {
    /// Writes a member that is a string, or null where there is none.
    package mutating func member(_ name: String, _ text: String?) {
        key(name)
        if let text { string(text) } else { null() }
    }

    /// Writes a member that is a whole number, or null where there is none.
    package mutating func member(_ name: String, _ value: (some BinaryInteger)?) {
        key(name)
        if let value { integer(value) } else { null() }
    }

    /// Writes a member that is a moment in RFC 3339, or null where there is none.
    package mutating func member(_ name: String, _ moment: Timestamp?) {
        key(name)
        if let moment { string(moment.description) } else { null() }
    }

    /// Writes a member that is a digest in base64, or null where there is none.
    package mutating func member(_ name: String, _ hash: Hash?) {
        key(name)
        guard let hash else { return null() }
        separate()
        bytes.append(UInt8(ascii: "\""))
        hash.withBytes { Base64.append($0, to: &bytes) }
        bytes.append(UInt8(ascii: "\""))
    }
}
