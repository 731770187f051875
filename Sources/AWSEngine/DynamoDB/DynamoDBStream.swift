package import Appointments
package import EventStore
package import Handlers
package import Logging

/// Somebody who follows the change stream of the events table.
package struct StreamConsumer: Sendable {
    /// The name under which its places are kept.
    let name: String
    /// Takes in records; what it throws at comes again.
    let take: @Sendable ([RecordedEvent], [Tampering]) async throws(EventStoreError) -> Void
    /// Of some appointments, with the versions that the table has of them: those that the consumer is behind with.
    let lagging: @Sendable ([AppointmentID: Int]) async throws(EventStoreError) -> Set<AppointmentID>

    package init(
        _ name: String,
        take: @escaping @Sendable ([RecordedEvent], [Tampering]) async throws(EventStoreError) -> Void,
        lagging: @escaping @Sendable ([AppointmentID: Int]) async throws(EventStoreError) -> Set<AppointmentID>
    ) {
        (self.name, self.take, self.lagging) = (name, take, lagging)
    }
}

/// Follows the change stream of the events table, shard by shard: a shard is read behind its parent, from behind the
/// last record that was taken in. Records that were dropped before they were read are made up for from the table.
///
/// Two of one name may run at once: both take in the same records, and the slower finds its place moved.
package actor DynamoDBStream {
    private let client: AWSClient
    private let store: DynamoDBEventStore
    private let places: StreamPlaces
    private let consumer: StreamConsumer
    private let now: @Sendable () -> Timestamp

    private var arn: String?
    /// Nil when they are to be asked for.
    private var shards: [StreamShard]?
    private var iterators: [String: String] = [:]
    private var held: [String: StreamPlaces.Place] = [:]
    private var roundsSinceListing = 0
    /// When a whole round was noted last.
    private var noted: Timestamp?

    /// The most records of one call.
    private static let batch = 100
    /// After so many rounds the shards are listed anew: DynamoDB splits them as it likes.
    private static let roundsBetweenListings = 60
    private static let noteEveryMilliseconds: Int64 = 60_000

    package init(
        _ client: AWSClient, tables: DynamoDBTables, consumer: StreamConsumer, now: @escaping @Sendable () -> Timestamp
    ) {
        (self.client, self.consumer, self.now) = (client, consumer, now)
        store = DynamoDBEventStore(client, tables: tables)
        places = StreamPlaces(
            table: DynamoDBTable(client: client, name: tables.projections), consumer: consumer.name)
    }

    /// Takes in the next records of every shard that may be read.
    ///
    /// - Returns: how many there were; 0 when the consumer is up to the stream.
    /// - Throws: `unavailable`; what was not taken in comes again.
    package func step() async throws(EventStoreError) -> Int {
        if shards == nil || roundsSinceListing >= Self.roundsBetweenListings { try await list() }
        roundsSinceListing += 1
        let shards = shards ?? []
        let listed = Set(shards.map(\.id))
        var count = 0
        for shard in shards where held[shard.id]?.isDone != true {
            // Of an appointment's records those in the parent are the earlier ones.
            if let parent = shard.parent, listed.contains(parent), held[parent]?.isDone != true { continue }
            count += try await read(shard)
        }
        let now = now()
        if noted.map({ now.milliseconds - $0.milliseconds >= Self.noteEveryMilliseconds }) ?? true {
            try await places.sawRound(at: now)
            noted = now
        }
        return count
    }

    /// Follows the stream until it is told to stop.
    package func run(until stop: Stop, logger: Logger) async {
        var pause: Int64 = 250
        while !stop.isRequested {
            do throws(EventStoreError) {
                if try await step() == 0 { await stop.sleep(milliseconds: 250) }
                pause = 250
            } catch {
                logger.warning("the change stream waits", metadata: ["error": "\(error)"])
                await stop.sleep(milliseconds: pause)
                pause = min(pause * 2, 5000)
            }
        }
    }

    // MARK: Shards

    private func list() async throws(EventStoreError) {
        let arn = try await streamARN()
        let (listed, known) = (try await StreamShard.all(of: arn, client), try await places.all())
        // A shard that was not read to its end and is listed no more took records with it; so did a long silence.
        let vanished = known.filter { place in !place.value.isDone && !listed.contains { $0.id == place.key } }.keys
        held = known
        iterators = [:]
        if try await places.isForgotten(at: now()) || !vanished.isEmpty { try await backfill() }
        for shard in vanished {
            held[shard] = try await places.move(shard, from: held[shard], to: held[shard]?.sequence, isDone: true)
        }
        (shards, roundsSinceListing) = (listed, 0)
    }

    private func streamARN() async throws(EventStoreError) -> String {
        if let arn { return arn }
        do throws(AWSError) {
            let table = try await store.table.call("DescribeTable") { _ in }
            if let found = table["Table"]?["LatestStreamArn"]?.text {
                arn = found
                return found
            }
        } catch {
            throw error.asStoreError
        }
        throw EventStoreError(
            .unavailable, message: "table \(store.table.name) has no change stream: enable it with new images")
    }

    // MARK: Records

    private func read(_ shard: StreamShard) async throws(EventStoreError) -> Int {
        let answer: JSONValue
        do throws(AWSError) {
            answer = try await records(of: shard)
        } catch {
            guard error.isRefused("TrimmedDataAccessException") else {
                // A shard or stream that is gone is found out by listing.
                shards = nil
                throw error.asStoreError
            }
            try await backfill()
            iterators[shard.id] = try await horizon(of: shard)
            return 0
        }
        let records = try (answer["Records"]?.elements ?? []).map { record throws(EventStoreError) in
            try StreamRecord(record)
        }
        try await take(records)
        let next = answer["NextShardIterator"]?.text
        if records.isEmpty, next != nil {
            iterators[shard.id] = next
            return 0
        }
        let last = records.last?.sequenceNumber ?? held[shard.id]?.sequence
        let place = try await places.move(shard.id, from: held[shard.id], to: last, isDone: next == nil)
        // Another worker moved it: go on from where it is now.
        iterators[shard.id] = place == nil ? nil : next
        if let place { held[shard.id] = place } else { shards = nil }
        if next == nil { shards = nil }
        return records.count
    }

    private func take(_ records: [StreamRecord]) async throws(EventStoreError) {
        var (events, tamperings): ([RecordedEvent], [Tampering]) = ([], [])
        for record in records {
            switch record.change {
            case .appended(let event): events.append(event)
            case .tampered(let tampering): tamperings.append(tampering)
            }
        }
        if !records.isEmpty { try await consumer.take(events, tamperings) }
    }

    private func records(of shard: StreamShard) async throws(AWSError) -> JSONValue {
        if let iterator = iterators[shard.id] {
            do throws(AWSError) {
                return try await records(iterator)
            } catch {
                // An iterator ends after 15 minutes; the place does not.
                guard error.isRefused("ExpiredIteratorException") else { throw error }
                iterators[shard.id] = nil
            }
        }
        let iterator = try await shard.iterator(of: arn ?? "", behind: held[shard.id]?.sequence, client)
        iterators[shard.id] = iterator
        return try await records(iterator)
    }

    private func records(_ iterator: String) async throws(AWSError) -> JSONValue {
        try await client.call(.streams, "GetRecords") {
            $0.member("ShardIterator", iterator)
            $0.member("Limit", Self.batch)
        }
    }

    private func horizon(of shard: StreamShard) async throws(EventStoreError) -> String {
        do throws(AWSError) {
            return try await shard.iterator(of: arn ?? "", behind: nil, client)
        } catch {
            throw error.asStoreError
        }
    }

    // MARK: Backfill

    /// Takes in from the table what the consumer is behind with.
    private func backfill() async throws(EventStoreError) {
        var pages: [[Item]] = []
        var start: JSONValue?
        repeat {
            pages = []
            let from = start
            try await store.table.pages("Scan") { writer in
                writer.member("ConsistentRead") { $0.boolean(true) }
                if let from { writer.member("ExclusiveStartKey") { $0.value(from) } }
            } until: { (items, answer) throws(EventStoreError) in
                pages.append(items)
                start = answer["LastEvaluatedKey"]
                return true
            }
            for items in pages { try await fill(items) }
        } while start != nil
    }

    private func fill(_ items: [Item]) async throws(EventStoreError) {
        var (events, tamperings): ([RecordedEvent], [Tampering]) = ([], [])
        for item in items {
            guard let key = EventKey(item) else {
                tamperings.append(.foreign("stands in"))
                continue
            }
            do throws(EventStoreError) {
                events.append(try store.event(item))
            } catch {
                tamperings.append(
                    Tampering(key.stream.appointment, version: key.version, reason: "it is stored damaged"))
            }
        }
        let versions = events.reduce(into: [AppointmentID: Int]()) { versions, event in
            versions[event.stream.appointment] = max(versions[event.stream.appointment] ?? 0, event.version)
        }
        let lagging = try await consumer.lagging(versions)
        let missing = events.filter { lagging.contains($0.stream.appointment) }
        if !missing.isEmpty || !tamperings.isEmpty { try await consumer.take(missing, tamperings) }
    }
}
