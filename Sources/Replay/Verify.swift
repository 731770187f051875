import Appointments
package import EventStore
package import Projections

/// Recomputes the whole ledger from its bytes and says what contradicts it. No stored hash is trusted.
///
/// It reads the feed in windows of positions, several beside each other, and takes them in in their order. Per stream
/// it holds the last version, its leaf and the row that the events make. Events that are appended meanwhile are left to
/// the next run.
package struct Verify: Sendable {
    let feed: any EventFeed
    let store: any StreamReader
    let views: any AppointmentViews & RowScan
    let people: PersonResolver?
    let parts: Set<Finding.Part>
    let batch: Int
    private let progress: @Sendable (VerifyProgress) -> Void

    /// - Parameter people: opens the sealed fields, to compare who asked; without it only their hashes are checked.
    /// - Parameter parts: what is verified; all of it unless given.
    package init(
        feed: any EventFeed, store: any StreamReader, views: any AppointmentViews & RowScan, people: PersonResolver?,
        parts: Set<Finding.Part> = Set(Finding.Part.allCases), batch: Int = 2000,
        progress: @escaping @Sendable (VerifyProgress) -> Void = { _ in }
    ) {
        (self.feed, self.store, self.views, self.people) = (feed, store, views, people)
        (self.parts, self.batch, self.progress) = (parts, max(batch, 1), progress)
    }

    struct Held {
        var head: StreamHead
        /// Nil when the events can't be folded, which was reported.
        var row: AppointmentRow?
        var hasRow = false
    }

    struct State {
        var report: VerifyReport
        var streams: [StreamID: Held] = [:]
        var position = 0
    }

    /// Runs to the head that the log has now.
    ///
    /// - Throws: `unavailable`: the store stopped answering and nothing is known.
    package func run() async throws(EventStoreError) -> VerifyReport {
        var state = State(report: VerifyReport(parts))
        let head = try await feed.head()
        state.report.head = head
        var start = 0
        try await inOrder(ahead: Self.windows) { () throws(EventStoreError) in
            guard start < head else { return nil }
            defer { start += batch }
            return Window(after: start, through: min(start + batch, head))
        } work: { window throws(EventStoreError) in
            try await read(window)
        } take: { (window: Window) throws(EventStoreError) in
            if let events = window.events {
                for event in events { try await take(in: event, window.insured, &state) }
            } else {
                try await takeSingly(window, &state)
            }
            progress(
                VerifyProgress(position: window.through, head: head, findings: state.report.findingCount))
        }
        if state.position < head {
            state.report.add(
                Finding(
                    .positionGap, position: state.position + 1,
                    message: "positions \(state.position + 1) to \(head) are missing from the log"))
        }
        if parts.contains(.views) { try await compareRows(&state) }
        state.report.streams = state.streams.count
        return state.report
    }

    /// How many windows are read beside each other.
    private static let windows = 4

    // MARK: Events

    /// The events of some positions.
    private struct Window: Sendable {
        let after: Int
        let through: Int
        /// Nil when the store does not give all of them out.
        var events: [RecordedEvent]? = []
        /// Who asked, by stream; only as far as it could be opened.
        var insured: [StreamID: InsuredID] = [:]
    }

    private func read(_ wanted: Window) async throws(EventStoreError) -> Window {
        var window = wanted
        do throws(EventStoreError) {
            var events: [RecordedEvent] = []
            var after = window.after
            while after < window.through {
                let page = try await feed.events(after: after, limit: batch)
                events += page.prefix { $0.position ?? 0 <= window.through }
                guard page.count == batch, let last = page.last?.position, last > after else { break }
                after = last
            }
            window.events = events
        } catch {
            if error.code == .unavailable { throw error }
            window.events = nil
        }
        do throws(EventStoreError) {
            if parts.contains(.views), let people {
                window.insured = try await people.insured(ofAll: window.events ?? [])
            }
        } catch {
            // One that does not open is looked for, and named, when it is its turn.
            if error.code == .unavailable { throw error }
        }
        return window
    }

    /// Goes through a window that the store refuses to give out event by event, to name the one that it can't give.
    private func takeSingly(_ window: Window, _ state: inout State) async throws(EventStoreError) {
        state.position = max(state.position, window.after)
        while state.position < window.through {
            do throws(EventStoreError) {
                guard let event = try await feed.events(after: state.position, limit: 1).first,
                    event.position ?? 0 <= window.through
                else { return }
                try await take(in: event, [:], &state)
            } catch {
                if error.code == .unavailable { throw error }
                state.position += 1
                state.report.events += 1
                state.report.add(Finding(.entryUnreadable, position: state.position, message: error.message))
            }
        }
    }

    private func take(
        in event: RecordedEvent, _ insured: [StreamID: InsuredID], _ state: inout State
    ) async throws(EventStoreError) {
        state.report.events += 1
        let position = event.position ?? state.position + 1
        if position != state.position + 1 {
            state.report.add(
                Finding(
                    .positionGap, stream: event.stream, version: event.version, position: event.position,
                    message: "position \(position) follows position \(state.position)"))
        }
        // A position that stands twice is one finding; it must not move what follows it out of its place.
        state.position = max(position, state.position)
        try await link(event, insured, &state)
    }

    /// Checks an event by itself, and against the one before it in its stream.
    func link(
        _ event: RecordedEvent, _ insured: [StreamID: InsuredID], _ state: inout State
    ) async throws(EventStoreError) {
        func add(_ kind: Finding.Kind, _ message: String) {
            state.report.add(
                Finding(
                    kind, stream: event.stream, version: event.version, position: event.position, message: message))
        }
        // What was read from its bytes and hashed just now, in this process, is not hashed twice.
        let leaf = event.isChecked ? event.leaf : Hash.leaf(of: event.entry.bytes)
        if leaf != event.leaf { add(.leafDiffers, "the entry does not hash to its stored leaf") }
        if !event.isChecked, !isIntact(event) {
            add(.entryUnreadable, "the stored bytes are not the entry that the store gives out")
        }
        let held = state.streams[event.stream]
        let version = held?.head.version ?? 0
        if event.version != version + 1 {
            add(.versionGap, "version \(event.version) follows version \(version)")
        }
        if event.entry.previous != held?.head.leaf {
            add(.previousDiffers, "the entry does not name the leaf of the version before")
        }
        for message in sealedDamage(of: event) { add(.sealedDiffers, message) }
        var row: AppointmentRow?
        // Behind a hole or an event that could not be read there is nothing to fold onto, and that was said already.
        if parts.contains(.views), event.version == version + 1, held == nil || held?.row != nil {
            do throws(EventStoreError) {
                row = try await fold(event, onto: held?.row, insured[event.stream])
            } catch {
                if error.code == .unavailable { throw error }
                add(event.version == 1 ? .sealedDiffers : .entryUnreadable, error.message)
            }
        }
        state.streams[event.stream] = Held(
            head: StreamHead(version: event.version, leaf: leaf), row: row)
    }

    func fold(
        _ event: RecordedEvent, onto row: AppointmentRow?, _ known: InsuredID? = nil
    ) async throws(EventStoreError) -> AppointmentRow {
        let insured = event.version > 1 ? nil : known != nil ? known : try await people?.insured(of: event)
        return try AppointmentProjection.project(event, onto: row, insured: insured)
    }

    /// Whether the bytes read back to the entry that came with them.
    private func isIntact(_ event: RecordedEvent) -> Bool {
        guard let entry = try? Entry(event.entry.bytes) else { return false }
        return entry.stream == event.stream && entry.version == event.version && entry.type == event.entry.type
            && entry.at == event.entry.at && entry.data == event.entry.data
    }

    private func sealedDamage(of event: RecordedEvent) -> [String] {
        var messages: [String] = []
        for reference in event.entry.personal {
            if let sealed = event.sealed[reference.field], Hash(of: sealed) != reference.sha256 {
                messages.append("the sealed field \(reference.field) does not hash to what the entry says")
            }
        }
        let named = Set(event.entry.personal.map(\.field))
        for field in event.sealed.keys.sorted() where !named.contains(field) {
            messages.append("a sealed field \(field) is stored that the entry does not name")
        }
        return messages
    }
}
