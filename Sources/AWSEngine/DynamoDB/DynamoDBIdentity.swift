package import EventStore
import Projections

/// Which ledger the events table holds, and which epoch of it; and, in the table of projections, what was last seen of
/// it, which a restore of the events leaves as it is.
///
/// DynamoDB knows no last event. So one event stands for how far the ledger had come: of those that the change stream
/// has brought, the latest by its time. A table that lacks it, or has another in its place, was put back to an older
/// copy. What was appended after the last note can't be missed here; mirror and countries' databases see to that.
package struct DynamoDBIdentity: Sendable {
    private let store: DynamoDBEventStore
    private let places: DynamoDBTable

    package init(_ client: AWSClient, tables: DynamoDBTables) {
        store = DynamoDBEventStore(client, tables: tables)
        places = DynamoDBTable(client: client, name: tables.projections)
    }

    /// An event that was seen.
    package struct Mark: Hashable, Sendable {
        let stream: StreamID
        let version: Int
        let leaf: Hash
        let at: Timestamp

        fileprivate init(_ event: RecordedEvent) {
            (stream, version, leaf, at) = (event.stream, event.version, event.leaf, event.entry.at)
        }

        fileprivate init(stream: StreamID, version: Int, leaf: Hash, at: Timestamp) {
            (self.stream, self.version, self.leaf, self.at) = (stream, version, leaf, at)
        }
    }

    /// What is remembered apart from the events.
    package struct Seen: Hashable, Sendable {
        package let identity: LedgerIdentity
        /// Nil before the change stream has brought one.
        package let last: Mark?
    }

    /// How the ledger was found.
    package struct Opening: Sendable {
        package let seen: Seen
        /// What had been seen of it, where it was put back to an older copy since.
        package let putBackFrom: Seen?

        package var identity: LedgerIdentity { seen.identity }
    }

    /// The identity that stands with the events; nil for a table that has none yet.
    package func stored() async throws(EventStoreError) -> LedgerIdentity? {
        var found: LedgerIdentity?
        try await store.table.pages("Query") { writer in
            writer.member("ConsistentRead") { $0.boolean(true) }
            writer.member("KeyConditionExpression", "streamId = :ledger")
            writer.member("ExpressionAttributeValues") { writer in
                writer.object { $0.attribute(":ledger", text: EpochItem.stream) }
            }
            writer.member("ScanIndexForward") { $0.boolean(false) }
            writer.member("Limit", 1)
        } until: { (items, _) throws(EventStoreError) in
            if let item = items.first {
                guard let epoch = EpochItem(item) else {
                    throw EventStoreError(
                        .corrupt,
                        message: "the item that says which ledger \(store.table.name) holds can't be read: find out "
                            + "who changed it, and put it back from a backup")
                }
                found = epoch.identity
            }
            return true
        }
        return found
    }

    /// Compares the table with what was seen of it, and begins a new epoch when it was put back. It is done before
    /// anything is written or answered.
    ///
    /// - Parameter newID: the id for a ledger that has none.
    /// - Throws: `invalid` when the table holds another ledger than was seen, with what to do; `unavailable`;
    ///   `corrupt`.
    package func open(newID: Identifier, now: Timestamp) async throws(EventStoreError) -> Opening {
        while true {
            // Before the events: they never are less afterwards.
            let seen = try await self.seen()
            let stored = try await self.stored()
            if let seen, stored?.id != seen.identity.id { throw anotherLedger(stored, seen) }
            var next = stored ?? LedgerIdentity(id: newID, epoch: 1)
            var isPutBack = false
            if let seen, try await self.isPutBack(next, since: seen) {
                isPutBack = true
                next = LedgerIdentity(id: next.id, epoch: max(next.epoch, seen.identity.epoch) + 1)
            }
            if next != stored {
                let there = try await store.table.put(
                    { EpochItem(next).write(at: now, &$0) }, if: "attribute_not_exists(streamId)")
                // Another process opens it at the same moment, and has begun the epoch already.
                if there != nil { continue }
            }
            if let seen, seen.identity == next { return Opening(seen: seen, putBackFrom: nil) }
            let found = Seen(identity: next, last: nil)
            guard try await remember(found, insteadOf: seen) else { continue }
            return Opening(seen: found, putBackFrom: isPutBack ? seen : nil)
        }
    }

    /// Compares the table anew.
    ///
    /// - Returns: what is remembered of it.
    /// - Throws: `invalid` when it holds another ledger or epoch by now.
    package func requireStill(_ identity: LedgerIdentity, now: Timestamp) async throws(EventStoreError) -> Seen {
        let opening = try await open(newID: identity.id, now: now)
        guard opening.identity == identity else {
            throw EventStoreError(
                .invalid,
                message: """
                    this works for ledger \(identity), and \(store.table.name) holds \(opening.identity) by now: start \
                    it again
                    """)
        }
        return opening.seen
    }

    /// Remembers an event that the change stream has brought, once the table was compared anew, unless a later one is
    /// remembered.
    ///
    /// - Throws: `invalid` when it holds another ledger or epoch by now; `unavailable`.
    package func note(
        _ event: RecordedEvent, of identity: LedgerIdentity, now: Timestamp
    ) async throws(EventStoreError) {
        let last = Mark(event)
        let seen = try await requireStill(identity, now: now)
        // An event of a clock that is ahead would keep all others out.
        let horizon = now.milliseconds + ChangePlaces.slackMilliseconds
        if let held = seen.last, held.at >= last.at, held.at.milliseconds <= horizon { return }
        // Whoever was faster has compared as well.
        _ = try await remember(Seen(identity: identity, last: last), insteadOf: seen)
    }

    private func isPutBack(_ identity: LedgerIdentity, since seen: Seen) async throws(EventStoreError) -> Bool {
        // What was seen is of an epoch before this one: the one who began it did not live to remember it.
        if seen.identity.epoch < identity.epoch { return false }
        if seen.identity.epoch > identity.epoch { return true }
        guard let last = seen.last else { return false }
        do throws(EventStoreError) {
            let found = try await store.read(last.stream, from: last.version).first
            return found?.version != last.version || found?.leaf != last.leaf
        } catch {
            // An event that can't be read is damage, which `verify` names.
            guard error.code == .corrupt else { throw error }
            return false
        }
    }

    private func anotherLedger(_ stored: LedgerIdentity?, _ seen: Seen) -> EventStoreError {
        let what = stored.map { "holds ledger \($0.id)" } ?? "names no ledger"
        return EventStoreError(
            .invalid,
            message: """
                the table \(store.table.name) \(what), and ledger \(seen.identity) was here before: let \
                EVENTS_TABLE_NAME name that one's table, or put its events back. To go on with what is there, see \
                "Restore on AWS" in docs/operating.md
                """)
    }
}

// MARK: - What is remembered

extension DynamoDBIdentity {
    private static func key(_ writer: inout JSONWriter) {
        writer.attribute("projectionId", text: "ledger")
        writer.attribute("itemId", text: "seen")
    }

    /// What is remembered; nil where nothing is.
    package func seen() async throws(EventStoreError) -> Seen? {
        guard let item = try await places.item({ Self.key(&$0) }) else { return nil }
        do throws(Item.Damage) {
            let id = try item.value("ledger") { Identifier($0) }
            let last = try item.ifPresent("leaf") { name throws(Item.Damage) in
                guard let leaf = Hash(bytes: try item.bytes(name)) else { throw Item.Damage(attribute: name) }
                return Mark(
                    stream: try item.value("streamId") { StreamID($0) }, version: Int(try item.number("version")),
                    leaf: leaf, at: Timestamp(milliseconds: try item.number("happened")))
            }
            return Seen(identity: LedgerIdentity(id: id, epoch: Int(try item.number("epoch"))), last: last)
        } catch {
            throw .damaged(places.name, error)
        }
    }

    /// - Returns: false when something else is remembered by now than was read.
    private func remember(_ seen: Seen, insteadOf before: Seen?) async throws(EventStoreError) -> Bool {
        var condition = "attribute_not_exists(projectionId)"
        if let before {
            condition = "ledger = :ledger AND epoch = :epoch AND "
            condition += before.last == nil ? "attribute_not_exists(leaf)" : "leaf = :leaf"
        }
        let there = try await places.put(
            { writer in
                Self.key(&writer)
                writer.attribute("ledger", text: seen.identity.id.description)
                writer.attribute("epoch", number: seen.identity.epoch)
                guard let last = seen.last else { return }
                writer.attribute("streamId", text: last.stream.description)
                writer.attribute("version", number: last.version)
                writer.attribute("leaf", bytes: last.leaf.bytes)
                writer.attribute("happened", number: last.at.milliseconds)
            }, if: condition,
            values: before.map { before in
                { writer in
                    writer.attribute(":ledger", text: before.identity.id.description)
                    writer.attribute(":epoch", number: before.identity.epoch)
                    if let last = before.last { writer.attribute(":leaf", bytes: last.leaf.bytes) }
                }
            })
        return there == nil
    }
}
