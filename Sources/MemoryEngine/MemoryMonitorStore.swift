package import EventStore
package import LogService
import Synchronization
package import TransparencyLog

/// What a monitor keeps of a log, in memory.
package final class MemoryMonitorStore: MonitorStore {
    private struct Kept {
        var state: MonitorState?
        var leaves: [Int: [Hash]] = [:]
        var heads: [StreamID: Head] = [:]
    }

    private let kept = Mutex(Kept())

    package init() {}

    package func state() async throws(EventStoreError) -> MonitorState? { kept.withLock { $0.state } }

    package func accept(_ note: [UInt8], isOpaque: Bool) async throws(EventStoreError) {
        kept.withLock { kept in
            let (read, isOpaque) = kept.state.map { ($0.read, $0.isOpaque) } ?? (0, isOpaque)
            kept.state = MonitorState(note: note, read: read, isOpaque: isOpaque)
        }
    }

    package func heads(of streams: Set<StreamID>) async throws(EventStoreError) -> [StreamID: Head] {
        kept.withLock { $0.heads.filter { streams.contains($0.key) } }
    }

    package func take(_ part: MonitoredPart) async throws(EventStoreError) {
        try kept.withLock { kept throws(EventStoreError) in
            guard let state = kept.state, state.read == part.range.lowerBound else { throw MonitoredPart.stranger }
            kept.state = MonitorState(note: state.note, read: part.range.upperBound, isOpaque: state.isOpaque)
            kept.leaves[part.tile] = part.leaves
            for head in part.heads { kept.heads[head.stream] = head }
        }
    }

    package func leaves(ofTile index: Int) async throws(EventStoreError) -> [Hash] {
        kept.withLock { $0.leaves[index] ?? [] }
    }
}
