import Testing

/// Everything has a length that fits into a head.
@Suite struct LengthTests {
    static func longFiles(_ files: [Source], limit: Int) -> [Offence] {
        files.filter { $0.lines.count - 1 > limit }.map { file in
            file.offence(limit + 1, "\(file.lines.count - 1) lines in a file, at most \(limit)")
        }
    }

    static func longFunctions(_ files: [Source], limit: Int = 70) -> [Offence] {
        files.flatMap { file in
            file.functions.filter { $0.length > limit }.map { function in
                file.offence(function.line, "\(function.name) has \(function.length) lines, at most \(limit)")
            }
        }
    }

    static func wideLines(_ files: [Source], limit: Int = 120) -> [Offence] {
        files.flatMap { file in
            file.lines.enumerated().filter { $1.count > limit }.map { index, line in
                file.offence(index + 1, "\(line.count) columns, at most \(limit)")
            }
        }
    }

    @Test("a source file has at most 300 lines, a test file at most 500")
    func files() {
        expectNone(Self.longFiles(SourceTree.sources, limit: 300) + Self.longFiles(SourceTree.tests, limit: 500))
    }

    @Test("a function has at most 70 lines")
    func functions() { expectNone(Self.longFunctions(SourceTree.allSwift)) }

    @Test("a line has at most 120 columns")
    func columns() { expectNone(Self.wideLines(SourceTree.allSwift)) }

    @Test("the length rules find what is planted")
    func planted() {
        let body = String(repeating: "    work(\"}\")  // }\n", count: 69)
        let long = Source(
            "Sources/X/Y.swift",
            """
            protocol Short { func one() -> Int; init() }
            struct Both {
                init() {
            \(body)    }
                func fits(_ body: () -> Void = { }) -> [Int] { [] }
                func two(
                    label: String
                ) throws(Failure) -> String where Value: Sendable {
            \(body)
                }
            }
            """)
        #expect(lines(Self.longFunctions([long])) == [3, 75])
        #expect(long.functions.map(\.name) == ["init", "fits", "two"])
        #expect(lines(Self.longFiles([long], limit: 100)) == [101])
        #expect(Self.longFiles([long], limit: 300).isEmpty)
        let wide = Source("Sources/X/Y.swift", "// short\n//\(String(repeating: "ñ", count: 119))\n")
        #expect(lines(Self.wideLines([wide])) == [2])
    }
}
