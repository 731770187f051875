package import Appointments
package import EventStore
package import Projections
import Synchronization

/// Sets of view rows in DynamoDB. A set's rows are items of the table of projections, spread over several partitions.
///
/// The live rows stay in their table: a swap replaces them one by one, each in one conditional write, and never by an
/// older state than a reader may have seen. Live traffic goes on meanwhile. A swap that was killed is given again and
/// goes on.
package final class DynamoDBViewCopies: ViewCopies {
    let views: DynamoDBAppointmentView
    let store: DynamoDBEventStore
    let records: SetRecords
    private let log: DynamoDBScan
    private let people: PersonResolver
    /// What each set, by its generation, was found to lack, and has not taken in yet.
    private let pending = Mutex<[Int: Pending]>([:])

    /// What a look has found and is not taken in yet.
    private struct Pending {
        /// The streams that are further than their rows of the set, each with its number of events more.
        var streams: [(stream: StreamID, events: Int)]
        /// How many events the look has met: where the set is once all of it is in.
        let position: Int
    }

    /// How many events a swap takes in together.
    private static let lastEvents = 2000

    /// - Parameter people: opens the sealed fields of first events.
    package init(
        _ client: AWSClient, tables: DynamoDBTables, people: PersonResolver, now: @escaping @Sendable () -> Timestamp
    ) {
        views = DynamoDBAppointmentView(client, tables: tables)
        log = DynamoDBScan(client, tables: tables)
        store = DynamoDBEventStore(client, tables: tables)
        records = SetRecords(table: DynamoDBTable(client: client, name: tables.projections), now: now)
        self.people = people
    }

    package func sets() async throws(EventStoreError) -> [ViewCopy] {
        try await records.all().map(\.set).sorted { $0.name < $1.name }
    }

    package func begin(
        _ name: String, of projection: ConsumerName, head: Int, now: Timestamp
    ) async throws(EventStoreError) -> ViewCopy {
        try ViewCopy.check(name)
        let there = try await records.record(name)
        if let there, there.set.projection == projection { return there.set }
        if let there { try await records.clearRows(of: there) }
        let set = ViewCopy(name: name, projection: projection, began: head, at: now)
        let record = SetRecord(
            set: set, generation: try await records.newGeneration(), revision: (there?.revision ?? 0) + 1)
        guard try await records.put(record, replacing: there) else { throw ViewCopy.moved(name) }
        return set
    }

    package func fill(
        _ set: ViewCopy, with rows: [AppointmentRow], through stream: StreamID, events: Int
    ) async throws(EventStoreError) -> ViewCopy {
        guard let there = try await records.record(set.name), there.set == set else { throw ViewCopy.moved(set.name) }
        // The mark moves last: what was written without it is written again, the same or further.
        try await records.write(rows, to: there.generation)
        let next = there.changed { set in
            set.through = stream
            set.events += events
        }
        guard try await records.put(next, replacing: there) else { throw ViewCopy.moved(set.name) }
        return next.set
    }

    package func seal(_ set: ViewCopy) async throws(EventStoreError) {
        guard let there = try await records.record(set.name), there.set == set else { throw ViewCopy.moved(set.name) }
        let next = there.changed { $0.position = $0.began }
        guard try await records.put(next, replacing: there) else { throw ViewCopy.moved(set.name) }
    }

    /// Looks which streams are further than their rows of the set, and folds those anew. The position that the set has
    /// come to is the number of events that the look has met.
    package func follow(
        _ name: String, with projection: Projection, limit: Int
    ) async throws(EventStoreError) -> Int {
        let record = try await whole(name)
        let left = pending.withLock { $0.removeValue(forKey: record.generation) }
        let waiting = if let left { left } else { try await look(record) }
        return try await take(limit, of: waiting, into: record, projection)
    }

    private func look(_ record: SetRecord) async throws(EventStoreError) -> Pending {
        let look = try await log.lookAnew()
        let versions = try await records.versions(record.generation)
        let streams = look.streams.indices.compactMap { index -> (stream: StreamID, events: Int)? in
            let stream = look.streams[index]
            let missing = look.count(at: index) - (versions[stream.appointment] ?? 0)
            return missing > 0 ? (stream, missing) : nil
        }
        return Pending(streams: streams, position: look.count)
    }

    /// Takes in at least `limit` events of what a look has found, if it has found so many.
    ///
    /// - Returns: how many there were, and less than `limit` at the end of the look.
    private func take(
        _ limit: Int, of waiting: Pending, into record: SetRecord, _ projection: Projection
    ) async throws(EventStoreError) -> Int {
        var (count, taken) = (0, [StreamID]())
        for (stream, events) in waiting.streams where count < max(limit, 1) {
            count += events
            taken.append(stream)
        }
        let rows = try await inOrder(taken) { (stream: StreamID) throws(EventStoreError) in
            try await self.fold(stream, with: projection)
        }
        try await records.write(rows.compactMap(\.self), to: record.generation)
        var rest = waiting
        rest.streams.removeFirst(taken.count)
        if !rest.streams.isEmpty {
            pending.withLock { $0[record.generation] = rest }
            return count
        }
        if record.set.position != waiting.position {
            let next = record.changed { $0.position = waiting.position }
            guard try await records.put(next, replacing: record) else { throw ViewCopy.moved(record.set.name) }
        }
        // The last stream may have had more events than were asked for.
        return min(count, max(limit, 1) - 1)
    }

    /// The row that all events of a stream make; nil for a stream without any.
    func fold(_ stream: StreamID, with projection: Projection) async throws(EventStoreError) -> AppointmentRow? {
        try await RangeFold(people, by: projection).rows(of: try await store.read(stream)).first
    }

    /// The record of a set that is filled.
    func whole(_ name: String) async throws(EventStoreError) -> SetRecord {
        guard let record = try await records.record(name), record.set.position != nil else {
            throw ViewCopy.unknown(name)
        }
        return record
    }

    package func swap(
        _ name: String, with projection: Projection, keepingAs kept: String?, coversAll: Bool, now: Timestamp
    ) async throws(EventStoreError) -> SwapOutcome {
        if let kept { try ViewCopy.check(kept) }
        // One look: waiting for one that finds nothing would take as long as the traffic. Rows that move from here on
        // are folded where they are exchanged.
        while try await follow(name, with: projection, limit: Self.lastEvents) >= Self.lastEvents {}
        let swap = Swap(sets: self, projection: projection, kept: kept, now: now)
        return try await swap.run(try await whole(name), coversAll: coversAll)
    }

    package func mend(
        _ appointment: AppointmentID, with row: AppointmentRow?, of projection: ConsumerName
    ) async throws(EventStoreError) -> Bool {
        let there = try await views.standing([appointment])[appointment]
        guard try await store.head(of: appointment.stream).version == row?.version ?? 0 else { return false }
        // Whoever has written the row since has taken in more.
        guard try await views.replace(there, of: appointment, with: row) else { return false }
        try await views.unpark(appointment, upTo: row?.version ?? .max, from: projection)
        return true
    }

    package func removeStray(_ key: String) async throws(EventStoreError) -> Bool {
        try await views.remove(strays: [key]) > 0
    }

    package func drop(_ name: String) async throws(EventStoreError) -> Bool {
        guard let record = try await records.record(name) else { return false }
        try await records.remove(record)
        return true
    }
}

extension DynamoDBAppointmentView {
    /// Puts a row in the place of what was seen there, or takes that away.
    ///
    /// - Returns: false when something else stands there by now, and nothing was written.
    func replace(
        _ there: StandingRow?, of appointment: AppointmentID, with row: AppointmentRow?
    ) async throws(EventStoreError) -> Bool {
        let (condition, values) = there?.condition ?? ("attribute_not_exists(appointmentId)", nil)
        if let row {
            return try await rows.put({ Self.write(row, &$0) }, if: condition, values: values) == nil
        }
        if there == nil { return true }
        return try await rows.delete(
            { $0.attribute("appointmentId", text: appointment.description) }, if: condition, values: values)
    }
}
