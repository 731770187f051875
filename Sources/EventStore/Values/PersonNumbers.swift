/// Looks for what may be an insured person's number in a text: a run of exactly five ASCII digits.
///
/// What is made at random is passed over, or one request in twenty would be refused by chance: a UUID, the 16 or 32
/// hexadecimal digits of a trace (W3C), a ULID, each as a whole word. A word ends where no letter and no digit stands.
package enum PersonNumbers {
    /// Whether a text holds a run of exactly five digits.
    package static func isFound(in text: some StringProtocol) -> Bool {
        !runs(in: Array(text.utf8)) { $0 == 5 }.isEmpty
    }

    /// The text with each run of five digits or more as `***23`. What is no number of a person but looks like one is
    /// masked with it.
    package static func masked(_ text: some StringProtocol) -> String {
        let bytes = Array(text.utf8)
        return mask(runs(in: bytes) { $0 >= 5 }, in: bytes)
    }

    /// The text with each run of digits masked that stands in one of the others as well.
    package static func masked(_ text: some StringProtocol, asIn others: [String]) -> String {
        let given = others.reduce(into: Set<ArraySlice<UInt8>>()) { given, other in
            let bytes = Array(other.utf8)
            for run in runs(in: bytes, where: { $0 >= 5 }) { given.insert(bytes[run]) }
        }
        let bytes = Array(text.utf8)
        return mask(runs(in: bytes) { $0 >= 5 }.filter { given.contains(bytes[$0]) }, in: bytes)
    }

    private static func mask(_ runs: [Range<Int>], in bytes: [UInt8]) -> String {
        var masked: [UInt8] = []
        masked.reserveCapacity(bytes.count)
        var shown = 0
        for run in runs {
            masked += bytes[shown..<run.lowerBound]
            masked += "***".utf8
            shown = run.upperBound - 2
        }
        return String(decoding: masked + bytes[shown...], as: UTF8.self)
    }

    /// Where digits stand in a row, as many as are wanted.
    private static func runs(in bytes: [UInt8], where isWanted: (_ count: Int) -> Bool) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        var index = 0
        var isInWord = false
        while index < bytes.count {
            if !isInWord, let end = endOfRandomWord(bytes, from: index) {
                index = end
                continue
            }
            var end = index
            while end < bytes.count, bytes[end].isDigit { end += 1 }
            if end > index {
                if isWanted(end - index) { runs.append(index..<end) }
                (index, isInWord) = (end, true)
            } else {
                isInWord = bytes[index].isWordLetter
                index += 1
            }
        }
        return runs
    }

    /// After the word that begins here, if nobody chose its characters.
    private static func endOfRandomWord(_ bytes: [UInt8], from start: Int) -> Int? {
        if start + 36 <= bytes.count, start + 36 == bytes.count || !bytes[start + 36].isWordLetter,
            bytes[start..<start + 36].withUnsafeBufferPointer({ Identifier(utf8: $0) }) != nil
        {
            return start + 36
        }
        let word = bytes[start...].prefix { $0.isWordLetter }
        switch word.count {
        case 16, 32:
            let isRandom = word.allSatisfy { $0.hexadecimalValue != nil } && !word.allSatisfy { $0.isDigit }
            return isRandom ? word.endIndex : nil
        case 26: return word.first ?? 0 <= UInt8(ascii: "7") && word.allSatisfy { $0.isOfULID } ? word.endIndex : nil
        default: return nil
        }
    }
}

extension UInt8 {
    fileprivate var isWordLetter: Bool { isDigit || isLetter }

    /// Whether this is a digit of Crockford's base 32, which has no I, L, O and U.
    fileprivate var isOfULID: Bool {
        isDigit || (0x41...0x5A).contains(self) && !"ILOU".utf8.contains(self)
    }
}
