import Appointments
package import EventStore
package import MemoryEngine
import PostgresEngine
package import Projections
package import Replay
import TestPostgres
import Testing

/// The mirrors that the contract runs against.
package enum MirrorEngine: CaseIterable, CustomTestStringConvertible {
    case memory
    case postgres

    /// Those that this machine can run.
    package static var available: [MirrorEngine] { TestCluster.isThere ? allCases : [.memory] }

    package var testDescription: String { "\(self)" }

    /// A new, empty mirror.
    package func make() async throws -> AnyMirror {
        switch self {
        case .memory: MemoryMirror()
        // As the role that the mirror's worker logs in as: what the contract asks, it may.
        case .postgres: PostgresMirror(try await TestCluster.database(.ledger).login("ledger_mirror"))
        }
    }

    /// A new, empty mirror whose login may take entries away.
    package func makeOwned() async throws -> AnyMirror {
        switch self {
        case .memory: MemoryMirror()
        case .postgres: PostgresMirror(try await TestCluster.database(.ledger).pool)
        }
    }
}

/// A store with histories to mirror.
package struct Histories {
    package let store = MemoryEventStore()

    package init() {}

    /// Appends the next events of an appointment, and returns them as they were recorded.
    @discardableResult
    package func append(_ count: Int, to number: Int, topic: String = "appointments-pe") async throws -> [RecordedEvent]
    {
        let stream = Samples.appointment(number).stream
        let version = store.readNow(stream).count
        var events: [NewEvent] = []
        for next in version..<version + count {
            events.append(
                next == 0
                    ? try Samples.requested(
                        1000 * number, personal: [try Samples.sealed("00123", stream: stream)])
                    : Samples.later(1000 * number + next, topic: topic))
        }
        return try await store.append(events, to: stream, expecting: version == 0 ? .empty : .version(version))
    }

    package func runner(into mirror: any MirrorStore) throws -> MirrorRunner {
        let keys = try KeyRing(master: Array(repeating: 1, count: 32))
        return MirrorRunner(
            feed: store, store: store, mirror: mirror,
            people: PersonResolver(directory: MemorySubjectDirectory(), keys: keys))
    }
}
