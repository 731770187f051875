package import EventStore

/// The feed of a store that has none: DynamoDB gives events no order across streams, so nothing can be behind in it.
/// What follows DynamoDB follows its change stream.
package struct UnorderedFeed: EventFeed {
    package init() {}

    package func events(after position: Int, limit: Int) async throws(EventStoreError) -> [RecordedEvent] { [] }

    package func head() async throws(EventStoreError) -> Int { 0 }
}
