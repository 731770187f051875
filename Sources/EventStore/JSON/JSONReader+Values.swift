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

    /// Passes over bytes that stand exactly here; false, and nothing read, where others do.
    mutating func take(literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        guard bytes.count - place >= count else { return false }
        for index in 0..<count where bytes[place + index] != literal.utf8Start[index] { return false }
        place += count
        return true
    }

    /// Checks a string without making one of it.
    mutating func skipString() throws(JSONError) {
        let start = place
        try expect("\"")
        var isASCII: UInt8 = 0
        while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
            if bytes[place] < 0x20 || bytes[place] == UInt8(ascii: "\\") { break }
            isASCII |= bytes[place]
            place += 1
        }
        if place < bytes.count, bytes[place] == UInt8(ascii: "\""), isASCII < 0x80 {
            place += 1
            return
        }
        // Anything else is left to the one that reads every string.
        place = start
        _ = try string()
    }
}
