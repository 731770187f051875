/// The escapes of URLs and forms (RFC 3986, section 2): all but the unreserved characters is written as `%XX`.
package enum PercentEncoding {
    /// Writes a text.
    ///
    /// - Parameter kept: characters of ASCII that stay as they are, as the unreserved ones do.
    package static func append(_ text: String, to bytes: inout [UInt8], keeping kept: String = "") {
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            case _ where kept.utf8.contains(byte): bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
    }
}
