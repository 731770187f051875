package import EventStore
package import Projections

/// Pauses stand next to checkpoints and parked events, under the name of their projection.
extension DynamoDBAppointmentView: ConsumerControl {
    static let pause = "paused"

    /// Looks through the whole table of projections.
    package func names() async throws(EventStoreError) -> [ConsumerName] {
        let names = try await memory.scan { writer in
            writer.member("ProjectionExpression", "projectionId")
            writer.member("FilterExpression", "contains(projectionId, :at)")
            writer.member("ExpressionAttributeValues") { writer in writer.object { $0.attribute(":at", text: "@") } }
        } read: { items throws(EventStoreError) in
            // Other items of the table have ids that are no names of projections.
            items.compactMap { (try? $0.text("projectionId")).flatMap { ConsumerName($0) } }
        }
        return Set(names).sorted { $0.description < $1.description }
    }

    package func pausedAt(_ projection: ConsumerName) async throws(EventStoreError) -> Timestamp? {
        guard let item = try await memory.item({ Self.key(projection, Self.pause, &$0) }) else { return nil }
        return try moment("at", of: item)
    }

    /// When a swap moved it; what follows the change stream keeps its place there, and none of this is known of it.
    package func movedAt(_ projection: ConsumerName) async throws(EventStoreError) -> Timestamp? {
        guard let item = try await memory.item({ Self.key(projection, Self.checkpoint, &$0) }),
            item.value["movedAt"] != nil
        else { return nil }
        return try moment("movedAt", of: item)
    }

    package func pause(_ projection: ConsumerName, at now: Timestamp) async throws(EventStoreError) {
        _ = try await memory.put(
            { writer in
                Self.key(projection, Self.pause, &writer)
                writer.attribute("at", text: now.description)
            }, if: Self.isNew)
    }

    package func resume(_ projection: ConsumerName) async throws(EventStoreError) -> Bool {
        try await memory.delete { Self.key(projection, Self.pause, &$0) }
    }

    /// By one question: a pause stands right after what is parked.
    package func standing(of projection: ConsumerName) async throws(EventStoreError) -> ConsumerStanding {
        let items = try await items(of: projection, "itemId BETWEEN :from AND :to") {
            $0.attribute(":from", text: "parked#")
            $0.attribute(":to", text: Self.pause)
        }
        do throws(Item.Damage) {
            var (pausedAt, parked) = (Timestamp?.none, [ParkedEvent]())
            for item in items {
                if try item.text("itemId") == Self.pause {
                    pausedAt = try item.value("at") { Timestamp($0) }
                } else {
                    parked.append(try Self.parked(item))
                }
            }
            return ConsumerStanding(pausedAt: pausedAt, parked: Self.firsts(parked))
        } catch {
            throw .damaged(memory.name, error)
        }
    }

    package func forget(_ projection: ConsumerName) async throws(EventStoreError) {
        // Its name goes last: what is left after a failure is still found.
        let parked = try await parked(by: projection, prefix: "parked#").map(Self.name)
        try await memory.carryOut(
            parked.map { item in DynamoDBTable.deleting { Self.key(projection, item, &$0) } })
        for item in [Self.checkpoint, Self.pause] {
            _ = try await memory.delete { Self.key(projection, item, &$0) }
        }
    }

    private func moment(_ name: String, of item: Item) throws(EventStoreError) -> Timestamp {
        do throws(Item.Damage) {
            return try item.value(name) { Timestamp($0) }
        } catch {
            throw .damaged(memory.name, error)
        }
    }
}
