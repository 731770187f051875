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
    package mutating func take(literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        guard bytes.count - place >= count, let start = bytes.baseAddress else { return false }
        let (here, wanted) = (UnsafeRawPointer(start + place), UnsafeRawPointer(literal.utf8Start))
        var index = 0
        while index + 8 <= count {
            let word = here.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            if word != wanted.loadUnaligned(fromByteOffset: index, as: UInt64.self) { return false }
            index += 8
        }
        while index < count {
            if here.load(fromByteOffset: index, as: UInt8.self) != wanted.load(fromByteOffset: index, as: UInt8.self) {
                return false
            }
            index += 1
        }
        place += count
        return true
    }

    /// Checks a string and says where it stands.
    mutating func stringPlace() throws(JSONError) -> JSONPlace {
        _ = peek()
        let start = place
        try skipString()
        return JSONPlace(start, place)
    }

    /// Checks any value and says where it stands.
    mutating func valuePlace() throws(JSONError) -> JSONPlace {
        _ = peek()
        let start = place
        try skip()
        return JSONPlace(start, place)
    }

    /// Checks that nothing but white space follows.
    package mutating func end() throws(JSONError) {
        if peek() != nil { throw error("something follows the value") }
    }

    /// Checks an object without making strings of its keys.
    mutating func skipObject() throws(JSONError) {
        try expect("{")
        try enter()
        if take("}") { return leave() }
        repeat {
            guard peek() == UInt8(ascii: "\"") else { throw error("expected a key in quotes") }
            try skipString()
            try expect(":")
            try skip()
        } while take(",")
        try expect("}")
        leave()
    }

    /// Checks a string without making one of it.
    mutating func skipString() throws(JSONError) {
        let start = place
        try expect("\"")
        passOverPlainBytes()
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

    /// Passes over bytes of a string, eight at a time, as long as all eight are ASCII and none ends or escapes it.
    private mutating func passOverPlainBytes() {
        guard let start = bytes.baseAddress.map(UnsafeRawPointer.init) else { return }
        let (ones, tops): (UInt64, UInt64) = (0x0101_0101_0101_0101, 0x8080_8080_8080_8080)
        while place + 8 <= bytes.count {
            let word = start.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            let (quote, escape) = (word ^ (0x22 * ones), word ^ (0x5C * ones))
            // The top bit of each byte that is a quote, a backslash, below 0x20, or beyond ASCII.
            let quotes = (quote &- ones) & ~quote
            let escapes = (escape &- ones) & ~escape
            let controls = (word &- (0x20 * ones)) & ~word
            if (quotes | escapes | controls | word) & tops != 0 { return }
            place += 8
        }
    }
}
