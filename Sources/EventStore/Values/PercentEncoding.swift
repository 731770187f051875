/// The escapes of URLs and forms (RFC 3986 section 2.1): all but the unreserved characters are written as `%XX`.
package enum PercentEncoding {
    private static let digits = Array("0123456789ABCDEF".utf8)

    /// Writes a text.
    ///
    /// - Parameter kept: characters of ASCII that stay as they are, as the unreserved ones do.
    package static func append(_ text: String, to bytes: inout [UInt8], keeping kept: String = "") {
        for byte in text.utf8 {
            if byte.isDigit || byte.isLetter || "-._~".utf8.contains(byte) || kept.utf8.contains(byte) {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
    }

    /// The text that some bytes encode, read strictly; nil when it is broken, no UTF-8, or holds control characters.
    package static func decode(_ text: some Collection<UInt8>) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var rest = text.makeIterator()
        while let byte = rest.next() {
            var decoded = byte
            if byte == UInt8(ascii: "%") {
                guard let high = rest.next()?.hexadecimalValue, let low = rest.next()?.hexadecimalValue else {
                    return nil
                }
                decoded = high << 4 | low
            }
            if decoded < 0x20 || decoded == 0x7F { return nil }
            bytes.append(decoded)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
