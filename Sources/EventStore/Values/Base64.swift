/// Base64 with padding, and the URL-safe alphabet without (RFC 4648 sections 4 and 5).
package enum Base64 {
    static let standard = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let urlSafe = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// Base64 with padding.
    package static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        append(bytes, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// URL-safe base64 without padding.
    package static func encodeURLSafe(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        append(bytes, to: &text, alphabet: urlSafe, padding: false)
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of a base64 text; nil for any text that `encode` would not have written.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        Array(text.utf8).withUnsafeBufferPointer { decode(utf8: $0) }
    }

    static func decode(utf8 text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        guard text.count.isMultiple(of: 4) else { return nil }
        let padding = text.suffix(2).count { $0 == UInt8(ascii: "=") }
        return decode(text[..<(text.count - padding)], values: standardValues)
    }

    /// The bytes of an URL-safe base64 text without padding; nil for any other text.
    package static func decodeURLSafe(_ text: some StringProtocol) -> [UInt8]? {
        Array(text.utf8).withUnsafeBufferPointer { decode($0[...], values: urlSafeValues) }
    }

    static func append(_ bytes: [UInt8], to text: inout [UInt8]) {
        append(bytes, to: &text, alphabet: standard, padding: true)
    }

    private static func append(_ bytes: [UInt8], to text: inout [UInt8], alphabet: [UInt8], padding: Bool) {
        bytes.withUnsafeBytes { append($0, to: &text, alphabet: alphabet, padding: padding) }
    }

    static func append(
        _ bytes: UnsafeRawBufferPointer, to text: inout [UInt8], alphabet: [UInt8] = standard, padding: Bool = true
    ) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: (bytes.count + 2) / 3 * 4) { characters in
            var (place, end) = (0, 0)
            while place < bytes.count {
                let count = min(3, bytes.count - place)
                var group = UInt32(bytes[place]) << 16
                if count > 1 { group |= UInt32(bytes[place + 1]) << 8 }
                if count > 2 { group |= UInt32(bytes[place + 2]) }
                for digit in 0..<4 where digit <= count || padding {
                    characters[end] =
                        digit <= count ? alphabet[Int(group >> (18 - 6 * UInt32(digit))) & 63] : UInt8(ascii: "=")
                    end += 1
                }
                place += 3
            }
            text.append(contentsOf: characters[..<end])
        }
    }

    private static func decode(_ text: Slice<UnsafeBufferPointer<UInt8>>, values: [UInt8]) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: text.count * 6 / 8)
        let isCanonical = bytes.withUnsafeMutableBytes {
            decode(UnsafeBufferPointer(rebasing: text), values: values, into: $0)
        }
        return isCanonical ? bytes : nil
    }

    /// Decodes a text without its padding into as many bytes as it writes; false for a text that `encode` would not
    /// have written, or that writes another number of bytes.
    static func decode(
        _ text: UnsafeBufferPointer<UInt8>, values: [UInt8] = standardValues,
        into bytes: UnsafeMutableRawBufferPointer
    ) -> Bool {
        // A left-over of six bits is half a byte; bits left over must be zero, or two texts would mean the same bytes.
        guard text.count % 4 != 1, text.count * 6 / 8 == bytes.count else { return false }
        return values.withUnsafeBufferPointer { values in
            var (wrong, at, place): (UInt8, Int, Int) = (0, 0, 0)
            while at + 4 <= text.count {
                let digits = (values[Int(text[at])], values[Int(text[at + 1])], values[Int(text[at + 2])])
                let last = values[Int(text[at + 3])]
                wrong |= digits.0 | digits.1 | digits.2 | last
                bytes[place] = digits.0 << 2 | digits.1 >> 4
                bytes[place + 1] = digits.1 << 4 | digits.2 >> 2
                bytes[place + 2] = digits.2 << 6 | last
                (at, place) = (at + 4, place + 3)
            }
            guard at < text.count else { return wrong < 64 }
            let digits = (values[Int(text[at])], values[Int(text[at + 1])])
            wrong |= digits.0 | digits.1
            bytes[place] = digits.0 << 2 | digits.1 >> 4
            if at + 2 == text.count { return wrong < 64 && digits.1 & 15 == 0 }
            let last = values[Int(text[at + 2])]
            bytes[place + 1] = digits.1 << 4 | last >> 2
            return wrong | last < 64 && last & 3 == 0
        }
    }

    private static let standardValues = values(of: standard)
    private static let urlSafeValues = values(of: urlSafe)

    /// The value of each byte as a digit; 64 and more for those that are none.
    private static func values(of alphabet: [UInt8]) -> [UInt8] {
        var values = [UInt8](repeating: 0xFF, count: 256)
        for (value, digit) in alphabet.enumerated() { values[Int(digit)] = UInt8(value) }
        return values
    }
}
