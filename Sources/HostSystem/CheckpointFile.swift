import Dispatch
package import EventStore
import Glibc
import TransparencyLog

/// The file next to an embedded ledger that holds the last checkpoint that was signed: `ledger.checkpoint`. Like
/// `ledger.seen` it stays where it is when the database is put back from a backup.
///
/// Processes that write it take turns by a lock on its folder, so that comparing and replacing are one step.
package final class CheckpointFile: CheckpointStore {
    package let path: String
    private let directory: String
    private let file: DurableFile
    /// Waits for the disk, so that no thread of the shared pool does.
    private let queue = DispatchQueue(label: "ledger.checkpoint")

    private static let maximumBytes = SignedNote.maximumBytes
    private static let (tries, pauseMicroseconds): (Int, UInt32) = (500, 2000)

    /// - Parameter directory: of an embedded ledger, which `PrivateFiles` has looked at.
    package init(_ directory: String) {
        self.directory = directory
        path = directory + "/ledger.checkpoint"
        file = DurableFile(path)
    }

    package func last() async throws(EventStoreError) -> [UInt8]? {
        try await onQueue { [file] () throws(EventStoreError) in try file.read(limit: Self.maximumBytes) }
    }

    package func replace(_ old: [UInt8]?, with new: [UInt8]) async throws(EventStoreError) -> Bool {
        try await onQueue { [self] () throws(EventStoreError) in
            let lock = try lockFolder()
            defer { close(lock) }
            guard try file.read(limit: Self.maximumBytes) == old else { return false }
            try file.replace(with: new)
            return true
        }
    }

    /// Keeps a copy of some bytes next to the file.
    ///
    /// - Parameter name: what stands after the name of the file and a dot.
    /// - Returns: the path of the copy.
    package func keep(_ bytes: [UInt8], as name: String) async throws(EventStoreError) -> String {
        let place = DurableFile("\(path).\(name)")
        return try await onQueue { () throws(EventStoreError) in
            if try place.read(limit: Self.maximumBytes) != bytes { try place.create(bytes) }
            return place.path
        }
    }

    /// A descriptor of the folder that others wait for until it is closed.
    private func lockFolder() throws(EventStoreError) -> Int32 {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("can't be locked") }
        for _ in 0..<Self.tries {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return descriptor }
            guard errno == EWOULDBLOCK || errno == EINTR else { break }
            usleep(Self.pauseMicroseconds)
        }
        let error = failure("can't be locked")
        close(descriptor)
        throw error
    }

    private func failure(_ what: String) -> EventStoreError {
        EventStoreError(.unavailable, message: "\(path) \(what): \(String(cString: strerror(errno)))")
    }

    private func onQueue<Value: Sendable>(
        _ work: @escaping @Sendable () throws(EventStoreError) -> Value
    ) async throws(EventStoreError) -> Value {
        let result: Result<Value, EventStoreError> = await withCheckedContinuation { continuation in
            queue.async {
                do throws(EventStoreError) {
                    continuation.resume(returning: .success(try work()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }
}
