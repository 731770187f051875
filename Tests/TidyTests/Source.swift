/// A Swift file, as it is written and as code alone.
struct Source {
    /// From the root of the repository.
    let path: String
    let lines: [Substring]
    /// The words and signs that are code: no comments, no string literals.
    let tokens: [Token]
    /// The lines that hold a comment, counted from 1.
    let commented: Set<Int>

    struct Token {
        let text: String
        /// Counted from 1.
        let line: Int
    }

    init(_ path: String, _ text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        var masker = Masker(text)
        masker.maskAll()
        commented = masker.commented
        tokens = Self.tokenize(masker.output)
    }

    /// The target that the file belongs to: the second folder of its path, or the folder of the migrations.
    var target: String {
        let parts = path.split(separator: "/")
        if parts.first == "migrations" { return "Migrations" }
        return parts.count > 2 ? String(parts[1]) : ""
    }

    /// The token at an index; an empty one outside.
    func token(_ index: Int) -> String { tokens.indices.contains(index) ? tokens[index].text : "" }

    func offence(_ line: Int, _ complaint: String) -> Offence {
        Offence(path: path, line: line, complaint: complaint)
    }

    private static func tokenize(_ bytes: [UInt8]) -> [Token] {
        var tokens: [Token] = []
        var word: [UInt8] = []
        var line = 1
        func isWord(_ byte: UInt8) -> Bool {
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == 95
                || byte >= 128
        }
        for byte in bytes {
            if isWord(byte) {
                word.append(byte)
                continue
            }
            if !word.isEmpty { tokens.append(Token(text: String(decoding: word, as: UTF8.self), line: line)) }
            word = []
            if byte == UInt8(ascii: "\n") { line += 1 }
            if byte > 32 { tokens.append(Token(text: String(UnicodeScalar(byte)), line: line)) }
        }
        if !word.isEmpty { tokens.append(Token(text: String(decoding: word, as: UTF8.self), line: line)) }
        return tokens
    }
}

/// Blanks comments and string literals, so that what is left is code. What is interpolated stays.
struct Masker {
    private let bytes: [UInt8]
    private(set) var output: [UInt8]
    private(set) var commented: Set<Int> = []
    private var place = 0
    private var line = 1

    init(_ text: String) {
        bytes = Array(text.utf8)
        output = bytes
    }

    mutating func maskAll() {
        while place < bytes.count { code() }
    }

    private func has(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { bytes[place...].starts(with: $0) }
    }

    private mutating func keep() {
        if bytes[place] == UInt8(ascii: "\n") { line += 1 }
        place += 1
    }

    private mutating func blank(_ count: Int = 1) {
        for _ in 0..<count where place < bytes.count {
            if bytes[place] != UInt8(ascii: "\n") { output[place] = 32 }
            keep()
        }
    }

    /// Passes over code up to the bracket that closes an interpolation, or to the end.
    private mutating func code() {
        var depth = 0
        while place < bytes.count {
            if has("//") {
                commented.insert(line)
                while place < bytes.count, !has("\n") { blank() }
            } else if has("/*") {
                comment()
            } else if let pounds = poundsBeforeQuote() {
                string(pounds)
            } else {
                if has("(") { depth += 1 }
                if has(")") { depth -= 1 }
                if depth < 0 { return }
                keep()
            }
        }
    }

    private mutating func comment() {
        var depth = 0
        repeat {
            commented.insert(line)
            if has("/*") {
                depth += 1
                blank(2)
            } else if has("*/") {
                depth -= 1
                blank(2)
            } else {
                blank()
            }
        } while depth > 0 && place < bytes.count
    }

    private func poundsBeforeQuote() -> Int? {
        var end = place
        while end < bytes.count, bytes[end] == UInt8(ascii: "#") { end += 1 }
        return end < bytes.count && bytes[end] == UInt8(ascii: "\"") ? end - place : nil
    }

    private func hasPounds(_ count: Int, after offset: Int) -> Bool {
        let from = place + offset
        return from + count <= bytes.count && bytes[from..<from + count].allSatisfy { $0 == UInt8(ascii: "#") }
    }

    private mutating func string(_ pounds: Int) {
        blank(pounds)
        let quotes = has("\"\"\"") ? 3 : 1
        blank(quotes)
        while place < bytes.count {
            if quotes == 3 ? has("\"\"\"") : has("\""), hasPounds(pounds, after: quotes) {
                return blank(quotes + pounds)
            }
            if quotes == 1, has("\n") { return }
            guard has("\\"), hasPounds(pounds, after: 1) else {
                blank()
                continue
            }
            blank(1 + pounds)
            if has("(") {
                keep()
                code()
                if place < bytes.count { keep() }
            } else {
                blank()
            }
        }
    }
}
