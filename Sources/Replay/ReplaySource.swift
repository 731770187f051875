package import EventStore

/// The recorded events that match, in the order of the log, to be sent out again.
package struct ReplaySource: Sendable {
    private let feed: any EventFeed
    private let log: any AuditLog
    private let filter: EventFilter
    private let pageEvents: Int

    /// - Parameter pageEvents: how many positions are read together.
    package init(feed: any EventFeed, log: any AuditLog, filter: EventFilter, pageEvents: Int = 2000) {
        (self.feed, self.log, self.filter, self.pageEvents) = (feed, log, filter, max(pageEvents, 1))
    }

    /// What a page of events was made into, and the position up to which that takes the replay.
    package struct Page<Content: Sendable>: Sendable {
        package let content: Content
        package let events: Int
        package let position: Int
    }

    /// Reads the events after a position, up to and with another. Pages are prepared concurrently and taken in in
    /// their order.
    ///
    /// - Throws: what a store throws, and what `take` throws.
    package func each<Content: Sendable>(
        after position: Int, through end: Int,
        prepare: @escaping @Sendable ([RecordedEvent]) async throws(EventStoreError) -> Content,
        take: (Page<Content>) async throws -> Void
    ) async throws {
        var failure: (any Error)?
        func hand(_ page: Page<Content>) async throws(EventStoreError) {
            do {
                try await take(page)
            } catch {
                failure = error
                throw EventStoreError(.invalid, message: "what takes the events has stopped")
            }
        }
        do throws(EventStoreError) {
            if filter.streams == nil {
                try await windows(after: position, through: end, prepare, hand)
            } else {
                try await pages(after: position, through: end, prepare, hand)
            }
        } catch {
            throw failure ?? error
        }
    }

    /// All positions, window by window.
    private func windows<Content: Sendable>(
        after position: Int, through end: Int,
        _ prepare: @escaping @Sendable ([RecordedEvent]) async throws(EventStoreError) -> Content,
        _ take: (Page<Content>) async throws(EventStoreError) -> Void
    ) async throws(EventStoreError) {
        var start = position
        let isAll = filter == EventFilter()
        try await inOrder(ahead: 4) { () throws(EventStoreError) in
            guard start < end else { return nil }
            defer { start += pageEvents }
            return (start, min(start + pageEvents, end))
        } work: { (window: (after: Int, through: Int)) throws(EventStoreError) in
            let read = try await feed.events(after: window.after, limit: window.through - window.after)
            let events = read.filter { $0.position ?? 0 <= window.through && (isAll || filter.matches($0)) }
            return Page(
                content: try await prepare(events), events: events.count, position: window.through)
        } take: { (page: Page<Content>) throws(EventStoreError) in
            try await take(page)
        }
    }

    /// The events of some streams, which the log finds by their names.
    private func pages<Content: Sendable>(
        after position: Int, through end: Int,
        _ prepare: @Sendable ([RecordedEvent]) async throws(EventStoreError) -> Content,
        _ take: (Page<Content>) async throws(EventStoreError) -> Void
    ) async throws(EventStoreError) {
        var position = position
        while position < end {
            let read = try await log.events(matching: filter, after: position, limit: pageEvents)
            let events = read.filter { $0.position ?? 0 <= end }
            position = read.count < pageEvents ? end : read.last?.position ?? end
            try await take(
                Page(content: try await prepare(events), events: events.count, position: min(position, end)))
        }
    }
}

/// Writes events that are sent out again: each entry as it is stored, with its place and the mark of the run.
package struct ReplayWriter: Sendable {
    private let mark: [UInt8]
    private static let leaf = Array(",\"leaf\":\"".utf8)
    private static let entry = Array("\",\"entry\":".utf8)

    package init(run: Identifier) { mark = Array("{\"replay\":\"\(run)\",\"position\":".utf8) }

    /// Adds one JSON object.
    package func append(_ event: RecordedEvent, to bytes: inout [UInt8]) {
        bytes += mark
        bytes.append(contentsOf: (event.position.map { "\($0)" } ?? "null").utf8)
        bytes += Self.leaf
        event.leaf.appendBase64(to: &bytes)
        bytes += Self.entry
        bytes += event.entry.bytes
        bytes.append(UInt8(ascii: "}"))
    }

    /// One line an event.
    package func lines(_ events: [RecordedEvent]) -> [UInt8] {
        var lines: [UInt8] = []
        lines.reserveCapacity(events.reduce(0) { $0 + $1.entry.bytes.count + mark.count + 96 })
        for event in events {
            append(event, to: &lines)
            lines.append(UInt8(ascii: "\n"))
        }
        return lines
    }
}
