import Testing

/// What stops the program or silences the compiler carries its reason.
@Suite struct SafetyTests {
    private static let risks: [[String]] = [
        ["try", "!"], ["as", "!"], ["fatalError"], ["@", "unchecked", "Sendable"],
        ["nonisolated", "(", "unsafe", ")"],
    ]

    static func unexplained(_ files: [Source]) -> [Offence] {
        files.flatMap { file in
            file.tokens.indices.flatMap { index -> [Offence] in
                let line = file.tokens[index].line
                guard file.commented.isDisjoint(with: [line, line - 1]) else { return [] }
                return risks.filter { risk in risk.indices.allSatisfy { file.token(index + $0) == risk[$0] } }
                    .map { file.offence(line, "\($0.joined()) without a comment that says why it is safe") }
            }
        }
    }

    @Test("a forced try or cast, a fatalError and an unchecked Sendable say why they are safe")
    func reasons() { expectNone(Self.unexplained(SourceTree.sources + SourceTree.tests)) }

    @Test("the safety rule finds what is planted")
    func planted() {
        let bad = Source(
            "Sources/X/Y.swift",
            #"""
            let one = try! read()
            let two = "try! \(value as! Int)"

            // The pointer never leaves the actor.
            final class Three: @unchecked Sendable {}

            nonisolated(unsafe) var four = 0
            let five = try? read() as? Int
            let six = """
                fatalError("in a text")
                """
            """#)
        #expect(lines(Self.unexplained([bad])) == [1, 2, 7])
    }
}
