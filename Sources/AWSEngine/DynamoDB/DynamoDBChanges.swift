package import Appointments
package import EventStore
package import Handlers
package import Logging

/// Somebody who follows the change stream of the events table.
package struct ChangeConsumer: Sendable {
    /// The name under which its places are kept.
    let name: String
    /// Takes in records; what it throws at comes again.
    let take: @Sendable ([RecordedEvent], [Tampering]) async throws(EventStoreError) -> Void
    /// Of some appointments, with the versions that the table has of them: those of which the consumer lacks events.
    let lagging: @Sendable ([AppointmentID: Int]) async throws(EventStoreError) -> Set<AppointmentID>

    package init(
        _ name: String,
        take: @escaping @Sendable ([RecordedEvent], [Tampering]) async throws(EventStoreError) -> Void,
        lagging: @escaping @Sendable ([AppointmentID: Int]) async throws(EventStoreError) -> Set<AppointmentID>
    ) {
        (self.name, self.take, self.lagging) = (name, take, lagging)
    }
}

/// Follows the change stream of the events table, shard by shard: a shard is read after its parent, from after the
/// last record that was taken in. Records that were dropped before they were read are made up for from the table.
///
/// Of several workers one reads for a consumer, by a lease. Two that step together take in the same records, and the
/// slower finds its place moved.
package actor DynamoDBChanges {
    private let client: AWSClient
    private let store: DynamoDBEventStore
    private let places: ChangePlaces
    private let lease: ChangeLease
    private let consumer: ChangeConsumer
    private let now: @Sendable () -> Timestamp

    private var arn: String?
    /// Nil when they are to be asked for.
    private var shards: [ChangeShard]?
    private var iterators: [String: String] = [:]
    private var held: [String: ChangePlaces.Place] = [:]
    private var roundsSinceListing = 0
    // These moments are of the client's uptime.
    /// When a whole round was noted last, and whether it came to the ends of all shards.
    private var noted: (at: Int64, isAtEnd: Bool)?
    /// When the table was last gone through.
    private var backfilled: Int64?
    /// When the lease was taken last; nil while another has it.
    private var leased: Int64?

    /// The most records of one call.
    private static let batch = 100
    /// After so many rounds the shards are listed anew: DynamoDB splits them as it likes.
    private static let roundsBetweenListings = 60
    private static let noteEveryMilliseconds: Int64 = 60_000

    package init(
        _ client: AWSClient, tables: DynamoDBTables, consumer: ChangeConsumer, now: @escaping @Sendable () -> Timestamp
    ) {
        (self.client, self.consumer, self.now) = (client, consumer, now)
        store = DynamoDBEventStore(client, tables: tables)
        let projections = DynamoDBTable(client: client, name: tables.projections)
        places = ChangePlaces(table: projections, consumer: consumer.name)
        lease = ChangeLease(table: projections, consumer: consumer.name, holder: String(client.number(), radix: 36))
    }

    /// Takes in the next records of every shard that may be read. A record that can't be read holds up its own shard.
    ///
    /// - Parameter stop: asked before each page of the table and each shard.
    /// - Returns: how many there were; 0 when the consumer is up to the stream.
    /// - Throws: `unavailable`, or `corrupt`; what was not taken in comes again.
    package func step(until stop: Stop? = nil) async throws(EventStoreError) -> Int {
        if shards == nil || roundsSinceListing >= Self.roundsBetweenListings { try await list(stop) }
        roundsSinceListing += 1
        let shards = shards ?? []
        let listed = Set(shards.map(\.id))
        var (count, isAtEnd, unreadable): (Int, Bool, EventStoreError?) = (0, true, nil)
        for shard in shards where held[shard.id]?.isDone != true {
            // Of an appointment's records those in the parent are the earlier ones.
            if let parent = shard.parent, listed.contains(parent), held[parent]?.isDone != true {
                isAtEnd = false
                continue
            }
            try await goOn(stop)
            do throws(EventStoreError) {
                let records = try await read(shard, stop)
                count += records
                if records >= Self.batch { isAtEnd = false }
            } catch {
                guard error.code == .corrupt else { throw error }
                unreadable = error
            }
        }
        if let unreadable { throw unreadable }
        let moment = client.uptime()
        let isDue = noted.map { moment - $0.at >= Self.noteEveryMilliseconds } ?? true
        if isDue || isAtEnd && noted?.isAtEnd == false {
            try await places.sawRound(at: now(), isAtEnd: isAtEnd)
            noted = (moment, isAtEnd)
        }
        return count
    }

    /// Follows the stream until it is told to stop, for as long as no other worker does.
    package func run(until stop: Stop, logger: Logger) async {
        await Following("the change stream", logger: logger).run(until: stop) { error, pause in
            // Who fails for long lets another try, who asks within such a pause. What can't be read, no other can.
            if pause >= ChangeLease.askEveryMilliseconds, error.code != .corrupt { await release(logger) }
        } _: { () throws(EventStoreError) in
            if try await !holdsLease() {
                await stop.sleep(milliseconds: ChangeLease.askEveryMilliseconds)
            } else if try await step(until: stop) == 0 {
                await stop.sleep(milliseconds: 250)
            }
        }
        await release(logger)
    }

    // MARK: Lease

    /// Whether this worker is the one that reads. A lease that is held is renewed in time.
    private func holdsLease() async throws(EventStoreError) -> Bool {
        let moment = client.uptime()
        if let leased, moment - leased < ChangeLease.renewAfterMilliseconds { return true }
        // Whoever read meanwhile has moved the places.
        if leased == nil { shards = nil }
        leased = try await lease.take(at: now()) ? moment : nil
        return leased != nil
    }

    private func release(_ logger: Logger) async {
        guard leased != nil else { return }
        leased = nil
        do throws(EventStoreError) {
            try await lease.release()
        } catch {
            // It runs out by itself.
            logger.warning("the lease of the change stream is not given back", metadata: ["error": "\(error)"])
        }
    }

    /// Between two pieces of work: renews the lease, and ends the work when a stop is asked for.
    private func goOn(_ stop: Stop?) async throws(EventStoreError) {
        if stop?.isRequested == true {
            throw EventStoreError(.unavailable, message: "the change stream was left for a stop: start a worker again")
        }
        // Another who took a lease that ran out reads the same; the next round leaves it to that one.
        if leased != nil { _ = try await holdsLease() }
    }

    // MARK: Shards

    private func list(_ stop: Stop?) async throws(EventStoreError) {
        let listed: [ChangeShard]
        let arn = try await streamARN()
        do throws(AWSError) {
            listed = try await ChangeShard.all(of: arn, client)
        } catch {
            throw forget(after: error)
        }
        let known = try await places.all()
        let ids = Set(listed.map(\.id))
        let gone = known.filter { !ids.contains($0.key) }
        // An iterator goes on from where this process has read, unless another has moved the place.
        iterators = iterators.filter { ids.contains($0.key) && held[$0.key] == known[$0.key] }
        held = known
        // A shard that was not read to its end and is listed no more took records with it; so did a long silence.
        let isLossy = gone.values.contains { !$0.isDone }
        let isForgotten = try await places.isForgotten(at: now())
        if !isBackfilled, isLossy || isForgotten { try await backfill(stop) }
        for shard in gone.keys.sorted() {
            try await places.remove(shard)
            held[shard] = nil
        }
        (shards, roundsSinceListing) = (listed, 0)
    }

    /// Forgets what an error shows to be gone. What another call brings along again is kept: it would cost calls when
    /// there are too many already.
    private func forget(after error: AWSError) -> EventStoreError {
        if error.isRefused("ResourceNotFoundException") { (shards, arn) = (nil, nil) }
        return error.asStoreError
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

    private func read(_ shard: ChangeShard, _ stop: Stop?) async throws(EventStoreError) -> Int {
        let answer: JSONValue
        do throws(AWSError) {
            answer = try await records(of: shard)
        } catch {
            guard error.isRefused("TrimmedDataAccessException") else { throw forget(after: error) }
            if !isBackfilled { try await backfill(stop) }
            iterators[shard.id] = try await horizon(of: shard)
            return 0
        }
        let records = try (answer["Records"]?.elements ?? []).map { record throws(EventStoreError) in
            try ChangeRecord(record)
        }
        try await consumer.take(in: records)
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

    private func records(of shard: ChangeShard) async throws(AWSError) -> JSONValue {
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

    private func horizon(of shard: ChangeShard) async throws(EventStoreError) -> String {
        do throws(AWSError) {
            return try await shard.iterator(of: arn ?? "", behind: nil, client)
        } catch {
            throw error.asStoreError
        }
    }

    // MARK: Backfill

    /// Whether what a shard has dropped unread was taken in by this process. Records stay for a day, so
    /// what was not in the table then can't be gone yet.
    private var isBackfilled: Bool {
        guard let backfilled else { return false }
        return client.uptime() - backfilled < ChangePlaces.patienceMilliseconds
    }

    private func backfill(_ stop: Stop?) async throws(EventStoreError) {
        let start = client.uptime()
        try await ChangeBackfill(store: store, consumer: consumer).run { () async throws(EventStoreError) in
            try await goOn(stop)
        }
        backfilled = start
    }
}
