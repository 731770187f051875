import Appointments
import EventStore
import Handlers

/// Takes in from the events table what a consumer of its change stream lacks.
struct ChangeBackfill {
    let store: DynamoDBEventStore
    let consumer: ChangeConsumer

    /// Goes through the whole table.
    ///
    /// - Parameter next: called before each page; what it throws ends the run.
    func run(
        before next: () async throws(EventStoreError) -> Void
    ) async throws(EventStoreError) {
        var start: JSONValue?
        repeat {
            try await next()
            let answer: JSONValue
            do throws(AWSError) {
                answer = try await store.table.call("Scan") { writer in
                    writer.member("ConsistentRead") { $0.boolean(true) }
                    if let start { writer.member("ExclusiveStartKey") { $0.value(start) } }
                }
            } catch {
                throw error.asStoreError
            }
            try await fill(answer["Items"]?.elements.map(Item.init) ?? [])
            start = answer["LastEvaluatedKey"]
        } while start != nil
    }

    private func fill(_ items: [Item]) async throws(EventStoreError) {
        var (events, tamperings): ([RecordedEvent], [Tampering]) = ([], [])
        for item in items where EpochItem(item) == nil {
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
