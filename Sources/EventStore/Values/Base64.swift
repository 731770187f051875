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
        let characters = Array(text.utf8)
        guard characters.count.isMultiple(of: 4) else { return nil }
        let padding = characters.suffix(2).count { $0 == UInt8(ascii: "=") }
        return decode(characters.dropLast(padding), alphabet: standard)
    }

    /// The bytes of an URL-safe base64 text without padding; nil for any other text.
    package static func decodeURLSafe(_ text: some StringProtocol) -> [UInt8]? {
        decode(Array(text.utf8)[...], alphabet: urlSafe)
    }

    static func append(_ bytes: [UInt8], to text: inout [UInt8]) {
        append(bytes, to: &text, alphabet: standard, padding: true)
    }

    private static func append(_ bytes: [UInt8], to text: inout [UInt8], alphabet: [UInt8], padding: Bool) {
        text.reserveCapacity(text.count + (bytes.count + 2) / 3 * 4)
        var place = 0
        while place < bytes.count {
            let count = min(3, bytes.count - place)
            var group = UInt32(bytes[place]) << 16
            if count > 1 { group |= UInt32(bytes[place + 1]) << 8 }
            if count > 2 { group |= UInt32(bytes[place + 2]) }
            for digit in 0..<4 {
                if digit <= count {
                    text.append(alphabet[Int(group >> (18 - 6 * UInt32(digit))) & 63])
                } else if padding {
                    text.append(UInt8(ascii: "="))
                }
            }
            place += 3
        }
    }

    private static func decode(_ characters: ArraySlice<UInt8>, alphabet: [UInt8]) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: characters.count * 6 / 8)
        let isCanonical = characters.withUnsafeBufferPointer { text in
            bytes.withUnsafeMutableBytes { decode(text, alphabet: alphabet, into: $0) }
        }
        return isCanonical ? bytes : nil
    }

    /// Decodes a text without its padding into as many bytes as it writes; false for a text that `encode` would not
    /// have written, or that writes another number of bytes.
    static func decode(
        _ text: UnsafeBufferPointer<UInt8>, alphabet: [UInt8] = standard, into bytes: UnsafeMutableRawBufferPointer
    ) -> Bool {
        // A left-over of six bits is half a byte; bits left over must be zero, or two texts would mean the same bytes.
        guard text.count % 4 != 1, text.count * 6 / 8 == bytes.count else { return false }
        var (buffer, bits, place): (UInt32, UInt32, Int) = (0, 0, 0)
        for character in text {
            guard let value = digit(character, alphabet) else { return false }
            buffer = buffer << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes[place] = UInt8(truncatingIfNeeded: buffer >> bits)
                place += 1
            }
            buffer &= (1 << bits) - 1
        }
        return buffer == 0
    }

    private static func digit(_ character: UInt8, _ alphabet: [UInt8]) -> UInt8? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - 65
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character - 71
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character + 4
        case alphabet[62]: 62
        case alphabet[63]: 63
        default: nil
        }
    }
}
