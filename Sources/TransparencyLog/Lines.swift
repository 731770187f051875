import EventStore

/// Takes the lines of a text from its start, one after the other. Each ends in a newline.
struct LineReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: some Sequence<UInt8>) { rest = ArraySlice(bytes) }

    /// What was not read yet.
    var remainder: ArraySlice<UInt8> { rest }
    var isAtEnd: Bool { rest.isEmpty }

    /// The next line without its newline; nil at the end, and where no newline ends it.
    mutating func next() -> ArraySlice<UInt8>? {
        guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let line = rest[rest.startIndex..<end]
        rest = rest[(end + 1)...]
        return line
    }

    /// Lines of one digest in base64 each, up to the empty line, which is read too.
    ///
    /// - Returns: nil where a line is no digest, where there are more than `limit`, and where no empty line ends them.
    mutating func hashes(limit: Int) -> [Hash]? {
        var hashes: [Hash] = []
        while let line = next() {
            if line.isEmpty { return hashes }
            guard hashes.count < limit, let hash = Hash(base64: String(decoding: line, as: UTF8.self)) else {
                return nil
            }
            hashes.append(hash)
        }
        return nil
    }
}

extension Collection<UInt8> {
    /// The bytes after a prefix; nil where they begin otherwise.
    func after(_ prefix: StaticString) -> SubSequence? {
        let prefix = UnsafeBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount)
        return starts(with: prefix) ? dropFirst(prefix.count) : nil
    }

    /// The number that these ASCII digits write; nil for none, for a leading zero and for more than 63 bits.
    var decimal: Int? {
        if isEmpty || first == UInt8(ascii: "0") && count > 1 { return nil }
        var value = 0
        for byte in self {
            guard byte.isDigit else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
            if overflow || carry { return nil }
            value = sum
        }
        return value
    }
}

extension String {
    /// Whether two texts have the same bytes: `==` would also join those that Unicode calls equivalent.
    func hasBytes(of other: String) -> Bool { utf8.elementsEqual(other.utf8) }

    /// Whether it can be the name of a key: not empty, no space, no plus, no control character (C2SP signed-note,
    /// "Format").
    var isKeyName: Bool {
        !isEmpty
            && unicodeScalars.allSatisfy { !$0.properties.isWhitespace && $0 != "+" && $0.value >= 0x20 }
    }
}
