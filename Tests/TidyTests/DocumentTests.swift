import Testing

/// What is written for people is there, and true where a test can tell.
@Suite struct DocumentTests {
    /// Functions that protocols of others ask for: what they do is written there.
    private static let knownElsewhere: Set<String> = [
        "<", "=", "hash", "encode", "run", "log", "next", "makeAsyncIterator", "makeIterator", "validate", "handle",
    ]

    static func undocumented(_ files: [Source]) -> [Offence] {
        let requirements = files.reduce(into: knownElsewhere) { $0.formUnion($1.requirements) }
        return files.flatMap { file in
            file.visibleDeclarations.filter { declaration in
                if declaration.keyword == "func", requirements.contains(declaration.name) { return false }
                let above = file.lines.prefix(declaration.line - 1).reversed()
                let first = above.map { $0.drop { $0 == " " } }.first { !$0.hasPrefix("@") }
                return first?.hasPrefix("///") != true
            }
            .map { file.offence($0.line, "\($0.keyword) \($0.name) does not open with a sentence") }
        }
    }

    static func unnumbered(_ files: [String: String]) -> [Offence] {
        let folder = "docs/decisions/"
        let names = files.keys.filter { $0.hasPrefix(folder) && $0.hasSuffix(".md") }.sorted()
        if names.isEmpty { return [Offence(path: folder, line: 1, complaint: "no decision is written down")] }
        return names.enumerated().compactMap { index, path in
            let digits = String(index + 1)
            let number = String(repeating: "0", count: max(0, 3 - digits.count)) + digits
            guard path.hasPrefix("\(folder)\(number)-"), files[path]?.hasPrefix("# \(number) ") == true else {
                return Offence(path: path, line: 1, complaint: "expected \(number)-title.md that begins '# \(number) '")
            }
            return nil
        }
    }

    /// The promises of all tables whose header is `| Promise | Test |`, with the tests in backticks of each.
    static func promises(_ text: String) -> [(line: Int, tests: [Substring])] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let headers = lines.indices.filter { lines[$0].hasPrefix("| Promise") && lines[$0].contains("| Test") }
        return headers.flatMap { header in
            lines[header...].dropFirst(2).prefix { $0.hasPrefix("|") }.indices.map { index in
                let cell = lines[index].split(separator: "|").dropFirst().first ?? ""
                let parts = cell.split(separator: "`", omittingEmptySubsequences: false)
                return (index + 1, parts.enumerated().filter { $0.offset % 2 == 1 }.map(\.element))
            }
        }
    }

    /// The names that follow `@Test(` or `@Suite(` in a file.
    static func names(in file: Source) -> [Substring] {
        let text = file.lines.joined(separator: "\n")
        return ["@Test(", "@Suite("].flatMap { attribute in
            text.split(separator: attribute).dropFirst().compactMap { rest in
                let name = rest.drop { $0.isWhitespace }
                return name.first == "\"" ? name.dropFirst().prefix { $0 != "\"" } : nil
            }
        }
    }

    /// Promises that name no test, or one that is not there: neither a test's name nor a suite.
    static func unkept(_ text: String, in path: String, tests: [Source]) -> [Offence] {
        let promises = promises(text)
        let known = Set(tests.flatMap { names(in: $0) + $0.typeNames.map { Substring($0.name) } })
        func complain(_ line: Int, _ complaint: String) -> Offence {
            Offence(path: path, line: line, complaint: complaint)
        }
        if promises.isEmpty { return [complain(1, "no table '| Promise | Test |' with a row")] }
        return promises.flatMap { line, names in
            names.isEmpty
                ? [complain(line, "a promise without a test")]
                : names.filter { !known.contains($0) }.map { complain(line, "no test is called '\($0)'") }
        }
    }

    /// Paths in backticks, such as `docs/events.md`, at which no file or folder is.
    static func lostPaths(in path: String, _ files: [String: String]) -> [Offence] {
        let tops = Set(files.keys.compactMap { $0.contains("/") ? $0.split(separator: "/").first : nil })
        let lines = files[path, default: ""].split(separator: "\n", omittingEmptySubsequences: false)
        return lines.enumerated().flatMap { index, line in
            let parts = line.split(separator: "`", omittingEmptySubsequences: false)
            return parts.enumerated().compactMap { place, part -> Offence? in
                guard place % 2 == 1, part.contains("/"), part.split(separator: "/").first.map(tops.contains) == true
                else { return nil }
                // A command is named with its arguments, a folder at times with a slash.
                let first = part.prefix { $0 != " " }
                let wanted = first.hasSuffix("/") ? first.dropLast() : first
                let isThere = files.keys.contains { $0 == wanted || $0.hasPrefix("\(wanted)/") }
                return isThere ? nil : Offence(path: path, line: index + 1, complaint: "no \(wanted) is there")
            }
        }
    }

    /// What a stranger finds in the README, in this order.
    private static let sections = [
        "Try it", "What it does", "What it promises", "How fast", "Read the code", "Change the code", "What it is not",
    ]

    /// A README that is too long, or whose sections are not those above.
    static func untidy(_ readme: String) -> [Offence] {
        let lines = readme.split(separator: "\n", omittingEmptySubsequences: false)
        let found = lines.filter { $0.hasPrefix("## ") }.map { String($0.dropFirst(3)) }
        var offences: [Offence] = []
        if lines.count > 131 {
            offences.append(Offence(path: "README.md", line: 131, complaint: "130 lines are enough"))
        }
        if found != sections {
            offences.append(Offence(path: "README.md", line: 1, complaint: "the sections are not \(sections)"))
        }
        return offences
    }

    /// Links of Markdown files to files that are not there.
    static func brokenLinks(_ files: [String: String]) -> [Offence] {
        files.filter { $0.key.hasSuffix(".md") }.flatMap { path, text in
            let folder = path.split(separator: "/").dropLast()
            return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().flatMap { index, line in
                line.split(separator: "](").dropFirst().compactMap { rest -> Offence? in
                    let target = rest.prefix { $0 != ")" && $0 != "#" }
                    if target.isEmpty || target.hasPrefix("http") { return nil }
                    var place = Array(folder)
                    for part in target.split(separator: "/") {
                        if part == ".." { _ = place.popLast() } else { place.append(part) }
                    }
                    let wanted = place.joined(separator: "/")
                    let isThere = files.keys.contains { $0 == wanted || $0.hasPrefix("\(wanted)/") }
                    return isThere ? nil : Offence(path: path, line: index + 1, complaint: "no \(wanted) is there")
                }
            }
        }
    }

    @Test("every link of a document leads to a file")
    func links() { expectNone(Self.brokenLinks(SourceTree.files)) }

    @Test("every type and function that other targets see opens with a sentence")
    func docstrings() { expectNone(Self.undocumented(SourceTree.sources)) }

    @Test("the decisions are numbered without holes")
    func decisions() { expectNone(Self.unnumbered(SourceTree.files)) }

    @Test("every promise names a test that exists", arguments: ["README.md", "docs/promises.md"])
    func promises(path: String) {
        expectNone(Self.unkept(SourceTree.files[path, default: ""], in: path, tests: SourceTree.tests))
    }

    @Test("every path that the README or a document names is there")
    func paths() {
        let documents = SourceTree.files.keys.filter {
            $0 == "README.md" || $0.hasPrefix("docs/") && $0.hasSuffix(".md")
        }
        expectNone(documents.sorted().flatMap { Self.lostPaths(in: $0, SourceTree.files) })
    }

    @Test("the README has its sections in order, in at most 130 lines")
    func readme() { expectNone(Self.untidy(SourceTree.files["README.md", default: ""])) }

    @Test("the docstring rule finds what is planted")
    func plantedDeclarations() {
        let bad = Source(
            "Sources/X/Y.swift",
            """
            package struct One {}
            /// Fine.
            @frozen
            package enum Two {
                package init() {}
                package private(set) var three = 3
                package static func four() {}

                package func five() {}
            }
            protocol Five { func five() }
            """)
        #expect(lines(Self.undocumented([bad])) == [1, 7])
    }

    @Test("the rules for documents find what is planted")
    func plantedDocuments() {
        let decisions = [
            "docs/decisions/001-one.md": "# 001 One\n", "docs/decisions/003-three.md": "# 003 Three\n",
            "docs/decisions/notes.txt": "",
        ]
        #expect(Self.unnumbered(decisions).map(\.path) == ["docs/decisions/003-three.md"])
        #expect(Self.unnumbered([:]).count == 1)
        let linked = [
            "docs/a.md": "[b](decisions/b.md#c) [r](../README.md)\n[c](c.md) [d](decisions)", "docs/decisions/b.md": "",
        ]
        #expect(lines(Self.brokenLinks(linked)) == [1, 2])
        let tests = [
            Source(
                "Tests/XTests/Y.swift",
                "@Suite struct Suite {\n@Test(\n    \"a rule\") func rule() {}\n}\nlet no = \"text\""
            )
        ]
        let readme = """
            | Promise | Test |
            |---|---|
            | kept | `a rule`, `Suite` |
            | broken | `a rule`, `another rule` |
            | empty | soon |
            | no test's name | `text` |

            | unrelated | `x` |
            """
        #expect(lines(Self.unkept(readme, in: "README.md", tests: tests)) == [4, 5, 6])
        let second = "\n| Promise | Test |\n|---|---|\n| broken | `no rule` |\n"
        #expect(lines(Self.unkept(readme + second, in: "README.md", tests: tests)) == [4, 5, 6, 11])
        #expect(lines(Self.unkept("no table", in: "README.md", tests: tests)) == [1])
        let files = [
            "README.md": "`Sources/X` `Sources/X/Y.swift`\n`Sources/Z` `GET /x` `no/Z`\n`Sources/X/` `Sources/X -v`",
            "Sources/X/Y.swift": "",
        ]
        #expect(lines(Self.lostPaths(in: "README.md", files)) == [2])
        let headings = Self.sections.map { "## \($0)\n" }.joined()
        #expect(Self.untidy(headings).isEmpty)
        #expect(lines(Self.untidy(headings + String(repeating: "\n", count: 130))) == [131])
        #expect(lines(Self.untidy("## Try it\n")) == [1])
    }
}
