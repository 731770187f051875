import Testing

/// Words that say nothing, notes that nobody will read, and places that are nobody else's.
@Suite struct WordTests {
    private static let banned: Set<String> = [
        "manager", "helper", "helpers", "service", "impl", "base", "info", "data", "util", "utils", "aggregate",
        "adapter",
    ]

    /// Written in parts, so that this file does not offend.
    private static let notes = ["TO" + "DO", "FIX" + "ME", "X" + "XX"]
    private static let places = ["/wo" + "rk/", "/tmp/bash" + "_jobs"]

    /// The words of a name in camel case; digits belong to the word before them, a run of capitals is one word.
    static func words(of name: String) -> [String] {
        let letters = Array(name)
        var words: [String] = []
        for (index, letter) in letters.enumerated() {
            let afterLower = index > 0 && !letters[index - 1].isUppercase
            let beforeLower = index + 1 < letters.count && letters[index + 1].isLowercase
            if words.isEmpty || letter == "_" || letter.isUppercase && (afterLower || beforeLower) {
                words.append("")
            }
            words[words.count - 1].append(letter)
        }
        return words
    }

    static func emptyNames(_ files: [Source]) -> [Offence] {
        files.flatMap { file in
            file.typeNames.compactMap { name, line in
                words(of: name).first { banned.contains($0.lowercased()) }.map { word in
                    file.offence(line, "\(name): '\(word)' says nothing of what the type is")
                }
            }
        }
    }

    static func found(_ needles: [String], in files: [String: String], asWords: Bool, _ why: String) -> [Offence] {
        files.flatMap { path, text in
            text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().flatMap { index, line in
                needles.filter { contains(line, $0, asWord: asWords) }.map { needle in
                    Offence(path: path, line: index + 1, complaint: "\(needle): \(why)")
                }
            }
        }
    }

    private static func contains(_ line: Substring, _ needle: String, asWord: Bool) -> Bool {
        guard line.contains(needle) else { return false }
        return !asWord || line.split { !$0.isLetter && !$0.isNumber }.contains(Substring(needle))
    }

    /// Words with two meanings: after or lagging, next to or at the same time, immediately or together.
    private static let ambiguous = ["behind", "beside", "at once"]

    /// Ambiguous words in the sentences of documents. What is in backticks or in a block of code is a name.
    static func ambiguities(_ files: [String: String]) -> [Offence] {
        files.filter { $0.key.hasSuffix(".md") }.flatMap { path, text in
            var isCode = false
            return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().flatMap { index, line in
                if line.hasPrefix("```") { isCode.toggle() }
                if isCode { return [Offence]() }
                let parts = line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
                let prose = parts.filter { $0.offset % 2 == 0 }.map(\.element).joined(separator: "x")
                let words = prose.lowercased().split { !$0.isLetter && $0 != "-" }.joined(separator: " ")
                return ambiguous.filter { " \(words) ".contains(" \($0) ") }.map { word in
                    Offence(path: path, line: index + 1, complaint: "\(word): say which of its two meanings is meant")
                }
            }
        }
    }

    /// Names, with which a sentence may begin although they are written with a capital. Those with a second capital, or
    /// with a digit, are known without a list: `PostgreSQL`, `POST`, `UTC-4`.
    private static let properNames: Set<Substring> = ["Go", "Python", "Santiago"]

    /// Tests whose name begins with a capital.
    static func capitals(_ files: [Source]) -> [Offence] {
        files.flatMap { file in
            let text = file.lines.joined(separator: "\n")
            return text.split(separator: "@Test(").dropFirst().compactMap { rest -> Offence? in
                let quoted = rest.drop { $0.isWhitespace }
                guard quoted.first == "\"" else { return nil }
                let word = quoted.dropFirst().prefix { !$0.isWhitespace && $0 != "\"" }
                guard word.first?.isUppercase == true, !properNames.contains(word),
                    !word.dropFirst().contains(where: { $0.isUppercase || $0.isNumber })
                else { return nil }
                return file.offence(1, "'\(word)' begins the name of a test: begin it in lower case")
            }
        }
    }

    @Test("the name of a test begins in lower case")
    func beginnings() { expectNone(Self.capitals(SourceTree.tests)) }

    @Test("no document says behind, beside or at once, which have two meanings each")
    func meanings() { expectNone(Self.ambiguities(SourceTree.files)) }

    @Test("no type is called Manager, Helper, Service, Impl, Base, Info, Data, Util, aggregate or adapter")
    func names() { expectNone(Self.emptyNames(SourceTree.sources + SourceTree.tests)) }

    @Test("no file keeps a note of what is still to be done")
    func leftovers() { expectNone(Self.found(Self.notes, in: SourceTree.files, asWords: true, "do it or file it")) }

    @Test("no file names a path of the machine that it was written on")
    func machinePaths() {
        expectNone(Self.found(Self.places, in: SourceTree.files, asWords: false, "a path of somebody's machine"))
    }

    @Test("the word rules find what is planted")
    func planted() {
        let bad = Source(
            "Sources/X/Y.swift",
            """
            struct Base64: Service { enum SlotInfo {} }
            final class DataStore { class func make() {} }
            struct Metadata {}  // struct UserManager
            protocol EventAdapter {}
            """)
        #expect(lines(Self.emptyNames([bad])) == [1, 2, 4])
        #expect(Self.words(of: "SQLiteEngineHTTPServer2") == ["SQ", "Lite", "Engine", "HTTP", "Server2"])
        let text = "one\nBehind it\n`row-behind` row-behind\nall at once,\n```\nbeside\n```\nbesides"
        #expect(lines(Self.ambiguities(["a.md": text, "b.swift": "behind"])) == [2, 4])
        let tests = ["A rule", "a rule", "POST works", "Go reads it"].map { "@Test(\n    \"\($0)\")\n" }.joined()
        #expect(Self.capitals([Source("Tests/X/Y.swift", "import Testing\n\(tests)@Test(.x)")]).count == 1)
        let files = ["a.md": "fine\n- \(Self.notes[0]): later\nmktemp \(Self.notes[2])X\n\(Self.places[0])main\n"]
        #expect(lines(Self.found(Self.notes, in: files, asWords: true, "")) == [2])
        #expect(lines(Self.found(Self.places, in: files, asWords: false, "")) == [4])
    }
}
