import Appointments
import EventStore
import Projections

/// Puts the rows of a set in the place of the live ones, row by row.
///
/// Everything it does can be done again: the old row is saved where none was saved yet, the new one is put unless the
/// live one is further, and the record of the set goes last.
struct Swap: Sendable {
    let sets: DynamoDBViewCopies
    let projection: Projection
    let kept: String?
    let now: Timestamp

    /// How often a row that others write meanwhile is folded again.
    private static let maximumRaces = 16

    private var views: DynamoDBAppointmentView { sets.views }

    func run(_ begun: SetRecord, coversAll: Bool) async throws(EventStoreError) -> SwapOutcome {
        let held = try await sets.records.versions(begun.generation)
        let live = try await views.ids()
        // A live row that the set lacks is new since the last look, or no event explains it.
        let strangers = live.sorted.filter { held[$0] == nil }
        let folded = try await inOrder(strangers) { (id: AppointmentID) throws(EventStoreError) in
            try await sets.fold(id.stream, with: projection)
        }
        let uncovered = zip(strangers, folded).filter { $1 == nil }.map(\.0)
        if coversAll {
            let lost = try await uncovered.count + live.strays.count + further(live, than: held)
            if lost > 0 { return .uncovered(rows: lost) }
        }
        let old = try await liveProjection()
        if old == projection.name, let since = try await views.pausedAt(old) { return .held(since: since) }
        let record = try await keeping(begun)
        if old != projection.name {
            // First, so that consumers that know the old rule only write no row over a new one.
            try await views.pause(old, at: now)
            _ = try await views.resume(projection.name)
        }
        for shard in 0..<SetRecords.shards {
            try await sets.records.items(record.generation, shard) { items throws(EventStoreError) in
                try await exchange(try views.read(items), record)
            }
        }
        try await exchange(folded.compactMap(\.self), record)
        try await remove(uncovered, record)
        _ = try await views.remove(strays: live.strays)
        let position = record.set.position ?? 0
        try await unpark()
        try await finish(record, old, position)
        return .swapped(position: position)
    }

    // MARK: Rows

    /// How many live rows claim to be further than their events are. Most that are further than the set have moved.
    private func further(
        _ live: RowIDs, than held: [AppointmentID: Int]
    ) async throws(EventStoreError) -> Int {
        let unsure = live.versions.filter { id, version in held[id].map { $0 < version } ?? (version > 1) }
        return try await inOrder(unsure.sorted { $0.key < $1.key }) {
            (row: (key: AppointmentID, value: Int)) throws(EventStoreError) in
            let version = try await sets.store.head(of: row.key.stream).version
            // Without any event it is uncovered, and counted as that.
            return version > 0 && version < row.value
        }.count(where: \.self)
    }

    private func exchange(_ rows: [AppointmentRow], _ record: SetRecord) async throws(EventStoreError) {
        let live = try await views.standing(rows.map(\.appointment))
        _ = try await inOrder(rows) { (row: AppointmentRow) throws(EventStoreError) in
            let there = live[row.appointment]
            if let keeping = record.keeping, let old = there?.row {
                try await sets.records.save(old, to: keeping)
            }
            if there?.row != row { try await put(row) }
        }
    }

    /// Puts a row unless the live one is further. One that claims to be further than its events is replaced.
    private func put(_ row: AppointmentRow) async throws(EventStoreError) {
        let there = try await views.rows.put(
            { DynamoDBAppointmentView.write(row, &$0) }, if: DynamoDBAppointmentView.rowCondition,
            values: { DynamoDBAppointmentView.rowValues(row, &$0) })
        if there == nil { return }
        let id = row.appointment
        for _ in 0..<Self.maximumRaces {
            let there = try await views.standing([id])[id]
            // Without events any more it is no business of a swap.
            guard let next = try await sets.fold(id.stream, with: projection) else { return }
            if try await views.replace(there, of: id, with: next) { return }
        }
        throw EventStoreError(.unavailable, message: "\(id.stream) is written by too many at once: swap again")
    }

    /// Takes rows away that no event explains.
    private func remove(_ appointments: [AppointmentID], _ record: SetRecord) async throws(EventStoreError) {
        let live = try await views.standing(appointments)
        _ = try await inOrder(appointments) { (id: AppointmentID) throws(EventStoreError) in
            guard let there = live[id] else { return }
            if let keeping = record.keeping, let old = there.row {
                try await sets.records.save(old, to: keeping)
            }
            // Who has written it meanwhile had an event.
            _ = try await views.replace(there, of: id, with: nil)
        }
    }

    private func unpark() async throws(EventStoreError) {
        let parked = try await views.parked(by: projection.name)
        let rows = try await views.standing(parked.map(\.appointment))
        for event in parked {
            guard let version = rows[event.appointment]?.row?.version, version >= event.version else { continue }
            try await views.unpark(event.appointment, upTo: version, from: projection.name)
        }
    }

    // MARK: Records

    /// The record with a generation to save the old rows to, where they are to be kept: the same one after a failure.
    private func keeping(_ record: SetRecord) async throws(EventStoreError) -> SetRecord {
        guard kept != nil, record.keeping == nil else { return record }
        var next = record.changed { _ in }
        next.keeping = try await sets.records.newGeneration()
        guard try await sets.records.put(next, replacing: record) else { throw ViewCopy.moved(record.set.name) }
        return next
    }

    /// The projection whose rows are live: of those that share a name, the one that is not held.
    private func liveProjection() async throws(EventStoreError) -> ConsumerName {
        for name in try await views.names() where name.name == projection.name.name && name != projection.name {
            let isSwapped = try await views.checkpoint(of: name) > 0
            if isSwapped, try await views.pausedAt(name) == nil { return name }
        }
        let today = ProjectionRunner.projection
        let isToday = today.name == projection.name.name && today != projection.name
        if isToday, try await views.pausedAt(today) == nil, try await views.checkpoint(of: projection.name) == 0 {
            return today
        }
        return projection.name
    }

    private func finish(_ record: SetRecord, _ old: ConsumerName, _ position: Int) async throws(EventStoreError) {
        let name = record.set.name
        if let kept, let keeping = record.keeping {
            let there = try await sets.records.record(kept)
            let set = ViewCopy(
                name: kept, projection: old, began: position, events: position, position: position, at: now)
            let next = SetRecord(set: set, generation: keeping, revision: (there?.revision ?? 0) + 1)
            guard try await sets.records.put(next, replacing: there) else { throw ViewCopy.moved(kept) }
            if let there, there.generation != keeping { try await sets.records.clear(there.generation) }
        }
        try await views.note(position, of: projection.name, at: now)
        if name != kept { try await sets.records.remove(record) }
    }
}

extension DynamoDBAppointmentView {
    /// Notes how many events the rows were made of when a projection's set was put in place.
    fileprivate func note(
        _ position: Int, of projection: ConsumerName, at now: Timestamp
    ) async throws(EventStoreError) {
        do throws(AWSError) {
            _ = try await memory.call("PutItem") { writer in
                writer.member("Item") { writer in
                    writer.object {
                        Self.key(projection, Self.checkpoint, &$0)
                        $0.attribute("reached", number: position)
                        $0.attribute("movedAt", text: now.description)
                    }
                }
            }
        } catch {
            throw error.asStoreError
        }
    }
}
