package import EventStore
import Synchronization
import TransparencyLog

/// The last checkpoint in memory.
package final class MemoryCheckpointStore: CheckpointStore {
    private let note = Mutex<[UInt8]?>(nil)

    package init() {}

    package func last() async throws(EventStoreError) -> [UInt8]? { note.withLock { $0 } }

    package func replace(_ old: [UInt8]?, with new: [UInt8]) async throws(EventStoreError) -> Bool {
        note.withLock { note in
            guard note == old else { return false }
            note = new
            return true
        }
    }
}
