import EventStore

/// What a line for people may repeat of what it was given: no insured person's number, whichever verb and parser wrote
/// the line.
struct ErrorText {
    /// The options whose values are no persons', and are needed whole by whoever reads the line. What a parser says of
    /// a wrong one stands in quotes.
    private static let open: Set<String> = [
        "--after", "--at-position", "--data", "--host", "--limit", "--port", "--rate", "--sample", "--schedule", "--to",
    ]

    private let given: [String]

    /// - Parameter arguments: the words that the program was called with, without its name.
    init(_ arguments: [String]) {
        var given: [String] = []
        var isOpen = false
        for argument in arguments {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let isOption = argument.hasPrefix("--") && Self.open.contains(parts[0])
            if !isOpen, !isOption, !Self.isPlace(argument) { given.append(argument) }
            isOpen = isOption && parts.count == 1
        }
        self.given = given
    }

    /// A line with each run of five digits or more as `***23` that was given, or stands in quotes: what is quoted came
    /// from outside, such as from a file. Places of files, addresses, UUIDs and other figures stay as they are.
    func masked(_ line: String) -> String {
        var text = ""
        var rest = PersonNumbers.masked(line, asIn: given)[...]
        while let quote = Self.quote(in: rest) {
            text += rest[..<quote.lowerBound]
            let quoted = rest[quote]
            text += Self.isPlace(quoted.dropFirst()) ? String(quoted) : PersonNumbers.masked(quoted)
            rest = rest[quote.upperBound...]
        }
        return text + rest
    }

    /// The first part of a text in single quotes; an apostrophe has a letter before it.
    private static func quote(in text: Substring) -> Range<Substring.Index>? {
        var before: Character?
        for start in text.indices {
            defer { before = text[start] }
            guard text[start] == "'", before?.isLetter != true, before?.isNumber != true else { continue }
            var end = text.index(after: start)
            while end < text.endIndex {
                let next = text.index(after: end)
                let follows = next < text.endIndex ? text[next] : " "
                if text[end] == "'", !follows.isLetter, !follows.isNumber { return start..<next }
                end = next
            }
            return start..<text.endIndex
        }
        return nil
    }

    private static func isPlace(_ text: some StringProtocol) -> Bool {
        text.hasPrefix("/") || text.hasPrefix("./") || text.hasPrefix("../") || text.contains("://")
    }
}
