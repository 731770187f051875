import Appointments
import EventStore
import Handlers
import MemoryEngine
import Projections

/// A bug that is planted in a seam to see whether the simulator finds it.
package enum Mutant: String, CaseIterable, Sendable {
    case acknowledgeBeforeAppend, announceBeforeAppend, retryWithoutExpectation, staleRead
    case viewWithoutVersionCheck, checkpointBeforeRows, gapSkipped, feedSkipsAnEvent
    case claimWithoutCondition, slotNotReleased, failedAfterCompleted, idempotencyIgnored
    case receiveCountNotKept, deadLetterDropped, acknowledgeOnReceipt
    case routerCheckpointFirst, sweeperNeverTires, mirrorCheckpointBeforeEntries, personInMessage
    case hiddenWithoutBound

    /// What an append does under this mutant; nil when it does what it should.
    func append(
        _ events: [NewEvent], to stream: StreamID, expecting expectation: Expectation, through links: Links
    ) throws(EventStoreError) -> [RecordedEvent]? {
        let isRequest = expectation == .empty
        guard self == .acknowledgeBeforeAppend && isRequest || self == .announceBeforeAppend && !isRequest else {
            return nil
        }
        let stored = links.world.store.readNow(stream)
        let head = stored.last.map { StreamHead(version: $0.version, leaf: $0.leaf) } ?? .empty
        guard case .write(let placed) = try head.admit(events, to: stream, expecting: expectation) else { return nil }
        // The caller hears of it now; whether it lands depends on what happens until then.
        links.world.timeline.after(40) {
            if links.isAlive { _ = try? links.world.append(events, to: stream, expecting: expectation) }
        }
        return placed.map { $0.recorded(at: nil) }
    }

    /// What becomes of messages once they were received.
    func received(_ messages: [ReceivedMessage], from queue: QueueName, in world: World) {
        switch self {
        case .receiveCountNotKept: for message in messages { world.bodies[message.receipt] = message.body }
        case .acknowledgeOnReceipt: world.messaging.deleteNow(messages.map(\.receipt), from: queue)
        case .deadLetterDropped:
            for letter in world.messaging.listNow(queue) { _ = world.messaging.removeNow(letter.id) }
        default: break
        }
    }
}

/// A handler of the change stream that takes what comes for the next version, whatever is missing before it.
struct GapSkipper {
    let links: Links
    let people: PersonResolver

    func handle(_ records: [RecordedEvent]) async throws(EventStoreError) {
        var rows = try await links.rows(of: records.map(\.stream.appointment))
        for event in records {
            let row = rows[event.stream.appointment]
            let insured = event.version == 1 ? try await people.insured(of: event) : nil
            guard event.version > row?.version ?? 0,
                let next = try? AppointmentProjection.project(event, onto: row, insured: insured)
            else { continue }
            rows[event.stream.appointment] = next
        }
        try await links.put(
            rows.values.sorted { $0.appointment < $1.appointment }, parking: [], by: ProjectionRunner.projection)
    }
}
