import Foundation
import Testing

/// The files of the repository, found from where this file was compiled.
enum SourceTree {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// What is built, fetched or recorded here and is no part of the repository.
    private static let ignored: Set<String> = [
        ".git", ".build", ".pytest_cache", ".serverless", "data", "node_modules", "Package.resolved",
    ]

    /// All text files, with their paths from the root, in order.
    static let files: [String: String] = {
        var files: [String: String] = [:]
        let walk = FileManager.default.enumerator(at: root, includingPropertiesForKeys: [.isRegularFileKey])
        while let file = walk?.nextObject() as? URL {
            if ignored.contains(file.lastPathComponent) || file.lastPathComponent.hasPrefix(".build") {
                walk?.skipDescendants()
            } else if let text = try? String(contentsOf: file, encoding: .utf8) {
                files[file.pathComponents.dropFirst(root.pathComponents.count).joined(separator: "/")] = text
            }
        }
        return files
    }()

    /// The Swift files below a folder, such as `Sources`.
    static func swift(in folders: String...) -> [Source] {
        files.filter { file in
            file.key.hasSuffix(".swift") && folders.contains { file.key.hasPrefix("\($0)/") || file.key == $0 }
        }
        .sorted { $0.key < $1.key }.map { Source($0.key, $0.value) }
    }

    static let sources = swift(in: "Sources", "migrations")
    static let tests = swift(in: "Tests")
    static var allSwift: [Source] { swift(in: "Package.swift") + sources + tests }
}

/// One place where a rule is broken.
struct Offence: Equatable, CustomStringConvertible {
    let path: String
    /// Counted from 1.
    let line: Int
    let complaint: String

    var description: String { "\(path):\(line): \(complaint)" }
}

/// Fails with the list of all offenders.
func expectNone(_ offences: [Offence], sourceLocation: SourceLocation = #_sourceLocation) {
    if offences.isEmpty { return }
    let list = offences.map(\.description).sorted().joined(separator: "\n")
    Issue.record("offenders: \(offences.count)\n\(list)", sourceLocation: sourceLocation)
}

/// The lines at which a rule finds a planted snippet at fault.
func lines(_ offences: [Offence]) -> [Int] { offences.map(\.line).sorted() }
