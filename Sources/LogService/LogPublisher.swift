package import EventStore
import TransparencyLog

/// Writes a log as static files in the layout of C2SP tlog-tiles, so that any web server is a log server: the key,
/// tiles and entries that are new since the checkpoint that stands there, and the checkpoint last.
package struct LogPublisher: Sendable {
    /// Where the files go, by their path below the log's prefix.
    package struct Destination: Sendable {
        /// Reads a file; nil where there is none.
        package let read: @Sendable (_ path: String) async throws(EventStoreError) -> [UInt8]?
        /// Writes a file, whole or not at all; says whether it did not have these bytes already.
        package let write: @Sendable (_ path: String, _ bytes: [UInt8]) async throws(EventStoreError) -> Bool
        /// Makes durable all that was written.
        package let settle: @Sendable () async throws(EventStoreError) -> Void

        package init(
            read: @escaping @Sendable (_ path: String) async throws(EventStoreError) -> [UInt8]?,
            write: @escaping @Sendable (_ path: String, _ bytes: [UInt8]) async throws(EventStoreError) -> Bool,
            settle: @escaping @Sendable () async throws(EventStoreError) -> Void
        ) {
            (self.read, self.write, self.settle) = (read, write, settle)
        }
    }

    private let log: ServedLog
    private let destination: Destination
    private let progress: @Sendable (_ done: Int, _ all: Int) -> Void

    /// - Parameter progress: told how many of how many entries are there.
    package init(
        _ log: ServedLog, to destination: Destination,
        progress: @escaping @Sendable (_ done: Int, _ all: Int) -> Void = { _, _ in }
    ) {
        (self.log, self.destination, self.progress) = (log, destination, progress)
    }

    /// What was published.
    package struct Outcome: Equatable, Sendable {
        /// The size of the checkpoint that stood there; nil where there was none.
        package let before: Int?
        /// The size of the checkpoint that stands there now.
        package let size: Int
        /// How many files were written.
        package let files: Int
    }

    /// Publishes the last checkpoint and all that it covers. Run again after it was interrupted, it goes on from the
    /// checkpoint that stands there.
    ///
    /// - Throws: `invalid` where there is no checkpoint yet, and where the files are another log's or contradict this
    ///   one; `corrupt`; `unavailable`.
    package func run() async throws(EventStoreError) -> Outcome {
        guard let last = try await log.last() else {
            throw EventStoreError(
                .invalid, message: "there is no checkpoint yet: `ledger serve` signs them, or `ledger checkpoint sign`")
        }
        let size = last.checkpoint.size
        let before = try await published(last)
        var files = 0
        try await write(Array("\(log.key)\n".utf8), to: "key", &files)
        for path in paths(from: before ?? 0, to: size) {
            try await write(try await log.content(of: path), to: path.description, &files)
            if case .entries = path.content { progress(path.range.start + path.width, size) }
        }
        try await destination.settle()
        try await write(last.note.bytes, to: "checkpoint", &files)
        try await destination.settle()
        return Outcome(before: before, size: size, files: files)
    }

    private func write(_ bytes: [UInt8], to path: String, _ files: inout Int) async throws(EventStoreError) {
        if try await destination.write(path, bytes) { files += 1 }
    }

    /// The size of the checkpoint that stands there, once it is proved that this log goes on from it.
    private func published(_ last: SignedCheckpoint) async throws(EventStoreError) -> Int? {
        guard let bytes = try await destination.read("checkpoint") else { return nil }
        let there = try? SignedCheckpoint(SignedNote(bytes), by: [log.key]).checkpoint
        guard let there else {
            throw EventStoreError(
                .invalid, message: "another log is published there, or none: name another place than that")
        }
        let proof = try await log.consistency(from: there.size, at: last)
        guard let proof, proof.oldRoot == there.root else {
            throw EventStoreError(
                .invalid,
                message: """
                    the checkpoint that is published there, at \(there.size) events, is not one of this log, which has \
                    \(last.checkpoint.size): `ledger checkpoint show` says how the log stands to its last checkpoint
                    """)
        }
        return there.size
    }

    /// What a log of a size has that one of a smaller size does not have, or not as wide.
    private func paths(from old: Int, to size: Int) -> [TilePath] {
        let bundles = Self.places(from: old, to: size).compactMap { TilePath.bundle(index: $0, ofSize: size) }
        let tiles = (0..<8).flatMap { level in
            let places = Self.places(
                from: TilePath.hashes(onLevel: level, ofSize: old), to: TilePath.hashes(onLevel: level, ofSize: size))
            return places.compactMap { TilePath.tile(level: level, index: $0, ofSize: size) }
        }
        return bundles + tiles
    }

    private static func places(from old: Int, to count: Int) -> Range<Int> {
        old == count ? 0..<0 : (old / 256)..<((count + 255) / 256)
    }
}
