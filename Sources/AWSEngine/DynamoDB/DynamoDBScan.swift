package import EventStore
package import Projections
import Synchronization

/// The events of the table as operators and auditors go through them: stream by stream, or by position.
///
/// DynamoDB gives items out in the order of a hash. So the keys of all events are looked at in one go, which reads the
/// whole table, and what is wanted is fetched by its key. Positions are counted by time from one look to the next: they
/// stay what they are, unless an event arrives that happened before others that were there already. They are not those
/// of the mirror, which is the place for audits.
package final class DynamoDBScan: Sendable {
    let store: DynamoDBEventStore
    private let maximumAgeMilliseconds: Int64
    private let uptime: @Sendable () -> Int64
    private let kept = Mutex<(look: EventsLook, at: Int64)?>(nil)

    /// How many events are fetched together.
    private static let chunk = 800

    /// - Parameter maximumAgeMilliseconds: how old a look may be where something begins: a run, or a question.
    package init(
        _ client: AWSClient, tables: DynamoDBTables, maximumAgeMilliseconds: Int64 = 60_000
    ) {
        store = DynamoDBEventStore(client, tables: tables)
        (self.maximumAgeMilliseconds, uptime) = (maximumAgeMilliseconds, client.uptime)
    }

    /// Looks at the keys of all events.
    func lookAnew() async throws(EventStoreError) -> EventsLook {
        let at = uptime()
        let kinds = EventKinds()
        let marks = try await store.marks(kinds)
        let events = marks.compactMap(\.self)
        let look = EventsLook(events, kinds: kinds, foreign: marks.count - events.count)
        kept.withLock { $0 = (look, at) }
        return look
    }

    /// - Parameter isBeginning: whether an old look will not do.
    private func look(isBeginning: Bool) async throws(EventStoreError) -> EventsLook {
        let now = uptime()
        let last = kept.withLock { kept in
            kept.flatMap { kept in
                let isOld = now - kept.at >= maximumAgeMilliseconds
                return isBeginning && isOld ? nil : kept.look
            }
        }
        if let last { return last }
        return try await lookAnew()
    }

    /// The events at some positions of a look, in order; those that are gone since are missing.
    private func fetch(_ positions: [Int], of look: EventsLook) async throws(EventStoreError) -> [RecordedEvent] {
        let items = try await store.table.items(
            positions.map { position in
                let place = look.place(at: position)
                return .written {
                    $0.attribute("streamId", text: place.stream.description)
                    $0.attribute("version", number: place.version)
                }
            })
        return try items.map { item throws(EventStoreError) in try placed(item, in: look) }
            .sorted { ($0.position ?? 0) < ($1.position ?? 0) }
    }

    private func placed(_ item: Item, in look: EventsLook) throws(EventStoreError) -> RecordedEvent {
        try RecordedEvent(item: item) { look.position(of: $0, version: $1) }
    }
}

extension DynamoDBScan: StreamScan {
    package func range(after stream: StreamID?, events: Int) async throws(EventStoreError) -> StreamRange? {
        let look = try await look(isBeginning: stream == nil)
        var index = 0
        if let stream {
            index = look.index(of: stream)
            if index < look.streams.count, look.streams[index] == stream { index += 1 }
        }
        guard index < look.streams.count else { return nil }
        var count = look.count(at: index)
        while count < events, index + 1 < look.streams.count {
            index += 1
            count += look.count(at: index)
        }
        return StreamRange(after: stream, through: look.streams[index])
    }

    package func events(in range: StreamRange) async throws(EventStoreError) -> [RecordedEvent] {
        let look = try await look(isBeginning: false)
        // A stream that is asked for by itself may have begun since.
        let streams =
            range == .only(range.through)
            ? [range.through]
            : Array(look.streams[(range.after.map(look.index) ?? 0)...].prefix { $0 <= range.through })
                .filter(range.contains)
        return try await inOrder(streams) { (stream: StreamID) throws(EventStoreError) in
            try await self.store.items(of: stream, from: 1).map { item throws(EventStoreError) in
                try self.placed(item, in: look)
            }
        }.flatMap(\.self)
    }
}

extension DynamoDBScan: StreamReader {
    /// As the store reads them, with the positions that this log gives them.
    package func read(_ stream: StreamID, from version: Int) async throws(EventStoreError) -> [RecordedEvent] {
        let look = try await look(isBeginning: false)
        return try await store.items(of: stream, from: version).map { item throws(EventStoreError) in
            try placed(item, in: look)
        }
    }
}

extension DynamoDBScan: EventStore {
    package func append(
        _ events: [NewEvent], to stream: StreamID, expecting expectation: Expectation
    ) async throws(EventStoreError) -> [RecordedEvent] {
        try await store.append(events, to: stream, expecting: expectation)
    }
}

extension DynamoDBScan: EventFeed {
    package func events(after position: Int, limit: Int) async throws(EventStoreError) -> [RecordedEvent] {
        let look = try await look(isBeginning: false)
        let first = max(position, 0)
        guard limit > 0, first < look.count else { return [] }
        return try await fetch(Array(first + 1...first + min(limit, look.count - first)), of: look)
    }

    package func head() async throws(EventStoreError) -> Int { try await look(isBeginning: true).count }

    package func foreignItems() async throws(EventStoreError) -> Int { try await look(isBeginning: true).foreign }
}

extension DynamoDBScan: AuditLog {
    /// By type, country, stream and time it fetches what is given out; by actor and correlation it has to fetch all
    /// that the rest of the filter leaves.
    package func events(
        matching filter: EventFilter, after position: Int, limit: Int
    ) async throws(EventStoreError) -> [RecordedEvent] {
        guard limit > 0, filter.streams?.isEmpty != true else { return [] }
        var look = try await look(isBeginning: position <= 0)
        var (found, last, isRenewed) = ([RecordedEvent](), max(position, 0), position <= 0)
        let isExact = filter.actor == nil && filter.correlation == nil
        while found.count < limit {
            var wanted: [Int] = []
            let size = isExact ? min(limit - found.count, Self.chunk) : Self.chunk
            while wanted.count < size, last < look.count {
                last += 1
                if look.mayMatch(filter, at: last) { wanted.append(last) }
            }
            found += try await fetch(wanted, of: look).filter(filter.matches)
            if last < look.count { continue }
            // Who follows page by page gets to what was appended since.
            if isRenewed { break }
            (look, isRenewed) = (try await self.look(isBeginning: true), true)
        }
        return Array(found.prefix(limit))
    }

    package func counts() async throws(EventStoreError) -> [EventCount] {
        try await look(isBeginning: true).counts()
    }
}

extension DynamoDBEventStore {
    /// What a look tells of every event there is; nil for each item that is no event.
    func marks(_ kinds: EventKinds) async throws(EventStoreError) -> [EventsLook.Mark?] {
        try await table.scan { writer in
            writer.member("ProjectionExpression", "#s, #v, #a, #t, #c, #l")
            writer.member("ExpressionAttributeNames") { writer in
                writer.object {
                    $0.member("#s", "streamId")
                    $0.member("#v", "version")
                    $0.member("#a", "at")
                    $0.member("#t", "type")
                    $0.member("#c", "countryISO")
                    $0.member("#l", "ledger")
                }
            }
        } read: { items throws(EventStoreError) in
            items.filter { EpochItem($0) == nil }.map { item in
                guard let key = EventKey(item) else { return nil }
                // What is damaged apart from the key is found when the event is read.
                let kind = EventKinds.Kind(
                    type: (try? item.text("type")) ?? "", country: (try? item.text("countryISO")) ?? "")
                return EventsLook.Mark(
                    stream: key.stream, at: (try? item.value("at") { Timestamp($0) })?.milliseconds ?? 0,
                    version: Int32(key.version), kind: kinds.number(of: kind))
            }
        }
    }
}
