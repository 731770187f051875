extension JSONReader {
    /// Reads a string that writes a value of another type, from its bytes and without making a string of them.
    package mutating func value<Value>(
        _ name: StaticString, _ parse: (UnsafeBufferPointer<UInt8>) -> Value?
    ) throws(JSONError) -> Value {
        try expect("\"")
        let start = place
        while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
            if bytes[place] < 0x20 { throw error("a control character stands unescaped in a string") }
            if bytes[place] == UInt8(ascii: "\\") {
                let text = Array(try escapedString(from: start).utf8)
                guard let value = text.withUnsafeBufferPointer(parse) else { throw error("expected \(name)") }
                return value
            }
            place += 1
        }
        guard place < bytes.count else { throw error("a string does not end") }
        guard let value = parse(UnsafeBufferPointer(rebasing: bytes[start..<place])) else {
            throw error("expected \(name)")
        }
        place += 1
        return value
    }
}
