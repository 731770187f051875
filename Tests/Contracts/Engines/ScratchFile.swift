import Foundation

/// A new file in the temporary directory, in a directory of its own that is removed when the tests end.
package struct ScratchFile {
    package let path: String

    package init() throws {
        let directory = Self.root.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        path = directory.appending(path: "ledger.sqlite").path
    }

    private static let root: URL = {
        let root = FileManager.default.temporaryDirectory.appending(path: "ledger-tests-\(getpid())")
        scratchRoot = root
        atexit { if let root = scratchRoot { try? FileManager.default.removeItem(at: root) } }
        return root
    }()
}

/// What `atexit` removes; a C callback captures nothing.
private nonisolated(unsafe) var scratchRoot: URL?
