package import EventStore

/// The feed of a store that keeps no order across streams: it brings nothing. There a change stream brings each event.
package struct NoFeed: EventFeed {
    package init() {}

    package func events(after position: Int, limit: Int) async throws(EventStoreError) -> [RecordedEvent] { [] }

    package func head() async throws(EventStoreError) -> Int { 0 }
}
