/// A function or initializer with a body.
struct FunctionBody {
    let name: String
    let line: Int
    /// From the line of the keyword to the line of the closing brace.
    let length: Int
}

/// A type or function that other targets can see.
struct VisibleDeclaration {
    let keyword: String
    let name: String
    let line: Int
}

extension Source {
    /// All functions with a body, nested ones too.
    var functions: [FunctionBody] {
        tokens.indices.compactMap { index in
            guard isFunction(index), let open = bodyStart(after: index), let close = closing(open) else { return nil }
            return FunctionBody(
                name: token(index) == "func" ? token(index + 1) : token(index), line: tokens[index].line,
                length: tokens[close].line - tokens[index].line + 1)
        }
    }

    private func isFunction(_ index: Int) -> Bool {
        switch token(index) {
        case "func": true
        case "init": token(index - 1) != "." && ["(", "<", "?", "!"].contains(token(index + 1))
        case "deinit": token(index + 1) == "{"
        default: false
        }
    }

    /// The brace that opens the body; nil for a requirement of a protocol, which has none.
    private func bodyStart(after index: Int) -> Int? {
        let next: Set<String> = [
            "func", "init", "var", "let", "case", "static", "subscript", "mutating", "package", "public", "private",
            "fileprivate", "internal", "struct", "enum", "class", "actor", "protocol", "extension", "typealias",
            "associatedtype", "}",
        ]
        var depth = 0
        for place in (index + 1)..<max(tokens.count, index + 1) {
            let text = token(place)
            if text == "(" || text == "[" { depth += 1 }
            if text == ")" || text == "]" { depth -= 1 }
            guard depth == 0 else { continue }
            if text == "{" { return place }
            if next.contains(text) { return nil }
        }
        return nil
    }

    /// The brace that closes the one at an index.
    func closing(_ open: Int) -> Int? {
        var depth = 0
        for place in open..<tokens.count {
            if token(place) == "{" { depth += 1 }
            if token(place) == "}" { depth -= 1 }
            if depth == 0 { return place }
        }
        return nil
    }

    /// The types and functions that are declared `package` or `public`.
    var visibleDeclarations: [VisibleDeclaration] {
        let modifiers: Set<String> = [
            "static", "final", "mutating", "nonmutating", "nonisolated", "override", "indirect", "consuming",
            "borrowing",
        ]
        let kinds: Set<String> = ["struct", "enum", "class", "actor", "protocol", "typealias", "func"]
        return tokens.indices.compactMap { index in
            guard ["package", "public"].contains(token(index)) else { return nil }
            var place = index + 1
            while modifiers.contains(token(place)) { place += 1 }
            guard kinds.contains(token(place)) else { return nil }
            return VisibleDeclaration(keyword: token(place), name: token(place + 1), line: tokens[index].line)
        }
    }

    /// The names of the functions that the protocols of this file require.
    var requirements: Set<String> {
        var names: Set<String> = []
        for index in tokens.indices where token(index) == "protocol" {
            guard let open = tokens[index...].firstIndex(where: { $0.text == "{" }), let close = closing(open)
            else { continue }
            names.formUnion((open..<close).filter { token($0) == "func" }.map { token($0 + 1) })
        }
        return names
    }

    /// The types that are declared here, with the lines of their declarations.
    var typeNames: [(name: String, line: Int)] {
        let kinds: Set<String> = ["struct", "enum", "class", "actor", "protocol", "typealias", "associatedtype"]
        return tokens.indices.compactMap { index in
            let name = token(index + 1)
            guard kinds.contains(token(index)), token(index - 1) != ".", let first = name.unicodeScalars.first,
                first.properties.isUppercase
            else { return nil }
            return (name, tokens[index].line)
        }
    }

    /// The modules that are imported here, with the lines.
    var imports: [(module: String, line: Int)] {
        let kinds: Set<String> = ["struct", "enum", "class", "protocol", "typealias", "func", "let", "var"]
        return tokens.indices.compactMap { index in
            guard token(index) == "import" else { return nil }
            return (token(kinds.contains(token(index + 1)) ? index + 2 : index + 1), tokens[index].line)
        }
    }
}
