package import Appointments
package import EventStore

/// How far a mirror has come.
package struct MirrorState: Equatable, Sendable {
    /// The position of its last entry; 0 when it is empty.
    package let position: Int
    /// How far it has read the feed that it follows.
    package let checkpoint: Int
    /// The ledger that it belongs to, and its epoch; nil while it belongs to none.
    package let owner: LedgerIdentity?

    package init(position: Int, checkpoint: Int, owner: LedgerIdentity? = nil) {
        (self.position, self.checkpoint, self.owner) = (position, checkpoint, owner)
    }
}

/// What a mirror holds of one appointment.
package struct MirroredStream: Sendable {
    package let head: StreamHead
    /// Its row in the mirror's own view; nil when its events can't be folded.
    package let row: AppointmentRow?

    package init(head: StreamHead, row: AppointmentRow?) { (self.head, self.row) = (head, row) }
}

/// What stands at a position of a mirror, as its columns say.
package struct MirroredPlace: Equatable, Sendable {
    package let position: Int
    package let place: EventPlace
    package let leaf: Hash

    package init(position: Int, place: EventPlace, leaf: Hash) {
        (self.position, self.place, self.leaf) = (position, place, leaf)
    }
}

/// What a mirror holds of one event.
package struct MirroredEntry: Equatable, Sendable {
    package let position: Int
    package let leaf: Hash

    package init(position: Int, leaf: Hash) { (self.position, self.leaf) = (position, leaf) }
}

/// The row that those events of an appointment make that a mirror holds.
package struct MirroredFold: Sendable {
    /// The version of the last of them; 0 when there is none.
    package let version: Int
    /// Nil when there is to be no row.
    package let row: AppointmentRow?

    package init(version: Int, row: AppointmentRow?) { (self.version, self.row) = (version, row) }
}

/// The place of an event in its stream.
package struct EventPlace: Hashable, Comparable, Sendable {
    package let stream: StreamID
    package let version: Int

    package init(stream: StreamID, version: Int) { (self.stream, self.version) = (stream, version) }

    package static func < (left: EventPlace, right: EventPlace) -> Bool {
        (left.stream, left.version) < (right.stream, right.version)
    }
}

/// An event that came to the mirror and contradicts what it holds. Both are kept until somebody has looked.
package struct MirrorConflict: Sendable {
    package let event: RecordedEvent
    /// Why it was not taken in, without personal data.
    package let reason: String
    package let at: Timestamp

    /// Why an event is not taken in whose place is taken.
    package static let taken = "the mirror holds another event as this version"

    package init(event: RecordedEvent, reason: String, at: Timestamp) {
        (self.event, self.reason, self.at) = (event, reason, at)
    }
}

/// What one step of the mirror writes, all or nothing.
package struct MirrorBatch: Sendable {
    /// New entries, in the order of the positions that they take: one after the other from the head on.
    package var entries: [RecordedEvent] = []
    /// The rows of the appointments that moved on.
    package var rows: [AppointmentRow] = []
    /// What was not taken in. One that is kept already is not kept twice.
    package var conflicts: [MirrorConflict] = []
    /// What it passes over, since the mirror was seen to hold it when the batch was prepared.
    package var held: [EventPlace: Hash] = [:]
    /// How far the feed was read after it.
    package var checkpoint: Int

    package init(checkpoint: Int, held: [EventPlace: Hash] = [:]) { (self.checkpoint, self.held) = (checkpoint, held) }
}

extension MirrorBatch {
    /// Each entry follows one in the mirror or one before it in the batch, and names that one's leaf.
    ///
    /// - Parameter leaf: the leaf at a place that the mirror holds.
    /// - Throws: `corrupt`, with the stream.
    package func requireChain(_ leaf: (EventPlace) -> Hash?) throws(EventStoreError) {
        // Of each stream the last entry so far: mostly the one before the next.
        var last: [StreamID: Int] = [:]
        last.reserveCapacity(entries.count)
        for index in entries.indices {
            let (stream, version) = (entries[index].stream, entries[index].version)
            var previous: Hash?
            if version > 1 {
                let held = last[stream].flatMap { entries[$0].version == version - 1 ? $0 : nil }
                previous =
                    held.map { entries[$0].leaf }
                    ?? leaf(EventPlace(stream: stream, version: version - 1))
            }
            guard entries[index].entry.previous == previous, version == 1 || previous != nil else {
                throw EventStoreError(.corrupt, message: "\(stream) would have a hole in the mirror")
            }
            last[stream] = index
        }
    }

    /// Whether the mirror holds all that the batch passes over. One that was put back to an older copy meanwhile may
    /// stand where the worker read it, and hold less than the worker saw.
    ///
    /// - Parameter leaf: the leaf at a place that the mirror holds.
    package func isFounded(_ leaf: (EventPlace) -> Hash?) -> Bool { held.allSatisfy { leaf($0.key) == $0.value } }

    /// The places that `requireChain` and `isFounded` ask the mirror for.
    package var placesAsked: [EventPlace] { placesBefore + held.keys }

    /// The places of the entries before the batch's own.
    private var placesBefore: [EventPlace] {
        var last: [StreamID: Int] = [:]
        last.reserveCapacity(entries.count)
        var places: [EventPlace] = []
        for index in entries.indices {
            let (stream, version) = (entries[index].stream, entries[index].version)
            if version > 1, last[stream] != version - 1 {
                places.append(EventPlace(stream: stream, version: version - 1))
            }
            last[stream] = version
        }
        return places
    }
}

/// The copy of the ledger in another database: every entry at a contiguous position, with a view of its own.
package protocol MirrorStore: Sendable {
    /// How far the mirror has come.
    func state() async throws(EventStoreError) -> MirrorState

    /// What the mirror holds of some streams; those that it does not know are missing.
    func streams(_ streams: [StreamID]) async throws(EventStoreError) -> [StreamID: MirroredStream]

    /// The entries at some places; those that it does not hold are missing.
    func entries(at places: [EventPlace]) async throws(EventStoreError) -> [EventPlace: MirroredEntry]

    /// What stands at the positions after one, in their order, at most `limit`. Positions that hold nothing are
    /// missing.
    func places(after position: Int, limit: Int) async throws(EventStoreError) -> [MirroredPlace]

    /// Writes entries, rows, conflicts, head and checkpoint together, if the mirror still is where the worker read it,
    /// and holds what the batch passes over.
    ///
    /// An entry that it holds is passed over. One in a place that another has is kept as a conflict, with all of the
    /// batch that follow it in its stream.
    /// - Returns: false when another worker moved it, or an older copy was put back: nothing was written, and this one
    ///   is to start over.
    /// - Throws: `corrupt` for an entry that follows none, or names another leaf than that of the one before it.
    func append(_ batch: MirrorBatch, expecting state: MirrorState) async throws(EventStoreError) -> Bool

    /// Events that were not taken in because they contradict the mirror, oldest first, at most `limit`.
    func conflicts(limit: Int) async throws(EventStoreError) -> [MirrorConflict]

    /// Puts entries at positions and takes away what stands in their way, together. Conflicts with what is taken away
    /// are settled, and no longer kept.
    ///
    /// - Parameters:
    ///   - entries: each with its position.
    ///   - places: all that is to go, as it was seen.
    /// - Returns: false when something else stands there by now: nothing was done, and it is to be looked at again.
    /// - Throws: `invalid` when this login may fill positions only, and something is to go.
    func mend(_ entries: [RecordedEvent], removing places: [MirroredPlace]) async throws(EventStoreError) -> Bool

    /// Takes away entries after the last one that belongs here, and has the head go back to the last that is left.
    ///
    /// - Returns: false when another worker moved the mirror, or something else stands there by now: nothing was done.
    /// - Throws: `invalid` when this login may not.
    func cut(_ places: [MirroredPlace], expecting state: MirrorState) async throws(EventStoreError) -> Bool

    /// Writes the rows of some appointments, whatever the mirror holds of them, or takes them away.
    ///
    /// - Returns: the appointments that are passed over, since the mirror's last event of them is by now another one
    ///   than the last that was folded.
    func mend(_ rows: [AppointmentID: MirroredFold]) async throws(EventStoreError) -> Set<AppointmentID>

    /// The appointments of a range that the mirror's own view has rows of, whether these can be read or not.
    func appointments(in range: StreamRange) async throws(EventStoreError) -> [AppointmentID]

    /// Has the mirror belong to a ledger and an epoch of it from now on.
    ///
    /// - Returns: false when another worker moved the mirror meanwhile: nothing was done.
    /// - Throws: `invalid` when it belongs to another ledger.
    func claim(for owner: LedgerIdentity, expecting state: MirrorState) async throws(EventStoreError) -> Bool

    /// Moves the entries after a position out into a table of their own, where they are kept with the epoch that they
    /// belong to, and has the mirror go on from that position for a ledger and an epoch of it; nil leaves whose it is.
    ///
    /// - Returns: how many entries were moved; nil when another worker moved the mirror meanwhile: nothing was done.
    /// - Throws: `invalid` when this login may not, or the mirror belongs to another ledger.
    func rewind(
        to position: Int, for owner: LedgerIdentity?, expecting state: MirrorState
    ) async throws(EventStoreError) -> Int?

    /// Takes the next entries that are not in it into the tree over the mirror's entries, since they were stored by a
    /// program without one, or others were put in their places.
    ///
    /// - Parameter limit: how many at most; workers wait meanwhile.
    /// - Returns: whether the tree has all entries then.
    /// - Throws: `unavailable`; `corrupt` when it can't be gone on with.
    func growTree(limit: Int) async throws(EventStoreError) -> Bool

    /// How many events were not taken in.
    func conflictCount() async throws(EventStoreError) -> Int
}
