import Testing

/// Each file of SQL is a step of its schema, and is in the program.
@Suite struct MigrationTests {
    /// The list of the steps that are embedded.
    private static let list = "migrations/Migrations.swift"

    /// The names of the steps of each schema in the order in which they are listed, and what is wrong with the list.
    private static func listed(_ text: String) -> (steps: [String: [String]], offences: [Offence]) {
        var steps: [String: [String]] = [:]
        var offences: [Offence] = []
        var schema = ""
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.contains("static let ") {
                schema = line.split(separator: " ").dropFirst(3).first.map(String.init) ?? ""
            }
            let quoted = line.split(separator: "\"", omittingEmptySubsequences: false)
            guard line.contains("Migration(name: "), quoted.count == 3 else { continue }
            let name = String(quoted[1])
            steps[schema, default: []].append(name)
            // The name that the build gives to an embedded file.
            let resource = "_" + name.dropFirst().map { $0.isLetter || $0.isNumber ? String($0) : "_" }.joined()
            if !quoted[2].contains("PackageResources.\(resource))") {
                offences.append(
                    Offence(path: list, line: index + 1, complaint: "\(name) is not PackageResources.\(resource)"))
            }
        }
        return (steps, offences)
    }

    static func unlisted(_ files: [String: String]) -> [Offence] {
        let (steps, offences) = listed(files[list] ?? "")
        let paths = files.keys.filter { $0.hasPrefix("migrations/") && $0.hasSuffix(".sql") }
            .map { $0.split(separator: "/").map(String.init) }
        let misplaced = paths.filter { $0.count != 3 }.map { parts in
            Offence(path: parts.joined(separator: "/"), line: 1, complaint: "a step stands in the folder of its schema")
        }
        let there = Dictionary(grouping: paths.filter { $0.count == 3 }) { $0[1] }.mapValues {
            $0.map { $0[2] }.sorted()
        }
        let unlike = Set(there.keys).union(steps.keys).filter { there[$0] != steps[$0] }.map { schema in
            Offence(
                path: list, line: 1,
                complaint: "\(schema) lists \(steps[schema] ?? []), and its folder has \(there[schema] ?? [])")
        }
        return offences + misplaced + unlike + there.flatMap { schema, names in misnumbered(names, of: schema) }
    }

    private static func misnumbered(_ names: [String], of schema: String) -> [Offence] {
        names.enumerated().filter { index, name in
            let number = "\(index + 1)"
            return !name.hasPrefix(String(repeating: "0", count: max(3 - number.count, 0)) + number + "-")
        }.map { index, name in
            Offence(path: "migrations/\(schema)/\(name)", line: 1, complaint: "this is step \(index + 1) of its schema")
        }
    }

    /// Lines that would end the transaction that each step is applied in.
    static func transactions(_ files: [String: String]) -> [Offence] {
        let commands = ["BEGIN;", "START TRANSACTION", "COMMIT", "ROLLBACK", "END;", "ABORT"]
        return files.filter { $0.key.hasSuffix(".sql") }.flatMap { path, text in
            text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap { index, line in
                commands.contains { line.uppercased().hasPrefix($0) }
                    ? Offence(path: path, line: index + 1, complaint: "a step leaves the transaction to the migrator")
                    : nil
            }
        }
    }

    static func wideLines(_ files: [String: String], limit: Int = 120) -> [Offence] {
        files.filter { $0.key.hasSuffix(".sql") }.flatMap { path, text in
            text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap { index, line in
                line.count > limit
                    ? Offence(path: path, line: index + 1, complaint: "\(line.count) columns, at most \(limit)") : nil
            }
        }
    }

    @Test("every migration is among the steps, numbered without a hole")
    func steps() { expectNone(Self.unlisted(SourceTree.files)) }

    @Test("no migration ends its transaction, and none is wider than the rest")
    func layout() { expectNone(Self.transactions(SourceTree.files) + Self.wideLines(SourceTree.files)) }

    @Test("the rules for migrations find what is planted")
    func planted() {
        let good = """
            package static let country = [
                Migration(name: "001-one.sql", sql: PackageResources._01_one_sql),
                Migration(name: "002-two.sql", sql: PackageResources._02_two_sql),
            ]
            """
        var files = [Self.list: good, "migrations/country/001-one.sql": "", "migrations/country/002-two.sql": ""]
        #expect(Self.unlisted(files).isEmpty)
        files["migrations/country/003-three.sql"] = ""
        #expect(Self.unlisted(files).map(\.path) == [Self.list])
        files["migrations/country/003-three.sql"] = nil
        files["migrations/country/002-two.sql"] = nil
        #expect(Self.unlisted(files).map(\.path) == [Self.list])
        files[Self.list] = good.replacing("_02_two_sql", with: "_01_one_sql").replacing("002-two", with: "003-two")
        files["migrations/country/003-two.sql"] = ""
        #expect(lines(Self.unlisted(files)) == [1, 3])
        files["migrations/stray.sql"] = "SELECT 1;\ncommit;\n\(String(repeating: "x", count: 121))"
        #expect(lines(Self.unlisted(files)) == [1, 1, 3])
        #expect(lines(Self.transactions(files)) == [2])
        #expect(lines(Self.wideLines(files)) == [3])
    }
}
