import Appointments
package import EventStore
package import Projections

/// Recomputes the whole ledger from its bytes and says what contradicts it. No stored hash is trusted.
///
/// It reads the feed in batches in the order of positions and holds, per stream, the last version, its leaf and the
/// row that the events make. Events that are appended meanwhile are left to the next run.
package struct Verify: Sendable {
    private let feed: any EventFeed
    private let store: any StreamReader
    private let views: any AppointmentViews
    private let people: PersonResolver?
    private let parts: Set<Finding.Part>
    private let batch: Int
    private let progress: @Sendable (VerifyProgress) -> Void

    /// - Parameter people: opens the sealed fields, to compare who asked; without it only their hashes are checked.
    /// - Parameter parts: what is verified; all of it unless given.
    package init(
        feed: any EventFeed, store: any StreamReader, views: any AppointmentViews, people: PersonResolver?,
        parts: Set<Finding.Part> = Set(Finding.Part.allCases), batch: Int = 1000,
        progress: @escaping @Sendable (VerifyProgress) -> Void = { _ in }
    ) {
        (self.feed, self.store, self.views, self.people) = (feed, store, views, people)
        (self.parts, self.batch, self.progress) = (parts, max(batch, 1), progress)
    }

    private struct Held {
        var head: StreamHead
        /// Nil when the events can't be folded, which was reported.
        var row: AppointmentRow?
        var hasRow = false
    }

    private struct State {
        var report: VerifyReport
        var streams: [StreamID: Held] = [:]
        var position = 0
    }

    /// Runs to the head that the log has now.
    ///
    /// - Throws: `unavailable`: the store stopped answering and nothing is known.
    package func run() async throws(EventStoreError) -> VerifyReport {
        var state = State(report: VerifyReport(parts))
        state.report.head = try await feed.head()
        while state.position < state.report.head {
            let before = state.position
            do throws(EventStoreError) {
                let events = try await feed.events(
                    after: before, limit: min(batch, state.report.head - before))
                try await take(in: events, &state)
            } catch {
                if error.code == .unavailable { throw error }
                try await takeSingly(after: before, &state)
            }
            progress(
                VerifyProgress(
                    position: state.position, head: state.report.head, findings: state.report.findingCount))
        }
        if parts.contains(.views) { try await compareRows(&state) }
        state.report.streams = state.streams.count
        return state.report
    }

    // MARK: Events

    private func take(in events: [RecordedEvent], _ state: inout State) async throws(EventStoreError) {
        let before = state.position
        for event in events { try await take(in: event, &state) }
        if !events.isEmpty { state.position = max(state.position, before + 1) }
        if events.isEmpty {
            state.report.add(
                Finding(
                    .positionGap, position: state.position + 1,
                    message: "positions \(state.position + 1) to \(state.report.head) are missing from the log"))
            state.position = state.report.head
        }
    }

    /// Goes through a batch that the store refuses to give out event by event, to name the one that it can't give.
    private func takeSingly(after position: Int, _ state: inout State) async throws(EventStoreError) {
        state.position = position
        let end = min(position + batch, state.report.head)
        while state.position < end {
            do throws(EventStoreError) {
                try await take(in: try await feed.events(after: state.position, limit: 1), &state)
            } catch {
                if error.code == .unavailable { throw error }
                state.position += 1
                state.report.events += 1
                state.report.add(Finding(.entryUnreadable, position: state.position, message: error.message))
            }
        }
    }

    private func take(in event: RecordedEvent, _ state: inout State) async throws(EventStoreError) {
        state.report.events += 1
        let position = event.position ?? state.position + 1
        func add(_ kind: Finding.Kind, _ message: String) {
            state.report.add(
                Finding(
                    kind, stream: event.stream, version: event.version, position: event.position, message: message))
        }
        if position != state.position + 1 {
            add(.positionGap, "position \(position) follows position \(state.position)")
        }
        // A position that stands twice is one finding; it must not move what follows it out of its place.
        state.position = max(position, state.position)
        if Hash.leaf(of: event.entry.bytes) != event.leaf {
            add(.leafDiffers, "the entry does not hash to its stored leaf")
        }
        if !isIntact(event) { add(.entryUnreadable, "the stored bytes are not the entry that the store gives out") }
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
        if event.version == version + 1, held == nil || held?.row != nil {
            do throws(EventStoreError) {
                row = try await fold(event, onto: held?.row)
            } catch {
                if error.code == .unavailable { throw error }
                add(event.version == 1 ? .sealedDiffers : .entryUnreadable, error.message)
            }
        }
        state.streams[event.stream] = Held(
            head: StreamHead(version: event.version, leaf: Hash.leaf(of: event.entry.bytes)), row: row)
    }

    private func fold(_ event: RecordedEvent, onto row: AppointmentRow?) async throws(EventStoreError)
        -> AppointmentRow
    {
        let insured = event.version == 1 ? try await people?.insured(of: event) : nil
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

    // MARK: Rows

    private func compareRows(_ state: inout State) async throws(EventStoreError) {
        var place: RowPlace?
        while true {
            let rows: [AppointmentRow]
            do throws(EventStoreError) {
                rows = try await views.rows(RowFilter(), after: place, offset: 0, limit: 500)
            } catch {
                if error.code == .unavailable { throw error }
                try await compareSingly(&state, error)
                break
            }
            for row in rows { try await compare(row, &state) }
            state.report.rows += rows.count
            guard rows.count == 500, let last = rows.last else { break }
            place = last.place
        }
        for (stream, held) in state.streams.filter({ !$0.value.hasRow }).sorted(by: { $0.key < $1.key }) {
            state.report.add(
                Finding(
                    .rowMissing, stream: stream, version: held.head.version,
                    message: "the appointment has events and no row in the view"))
        }
    }

    /// Goes through the rows that are left one by one, to name those that the view can't give out.
    private func compareSingly(_ state: inout State, _ damage: EventStoreError) async throws(EventStoreError) {
        var isNamed = false
        for stream in state.streams.filter({ !$0.value.hasRow }).keys.sorted() {
            do throws(EventStoreError) {
                guard let row = try await views.row(stream.appointment) else { continue }
                state.report.rows += 1
                try await compare(row, &state)
            } catch {
                if error.code == .unavailable { throw error }
                isNamed = true
                state.streams[stream]?.hasRow = true
                state.report.add(Finding(.rowUnreadable, stream: stream, message: error.message))
            }
        }
        if !isNamed { state.report.add(Finding(.rowUnreadable, message: damage.message)) }
    }

    private func compare(_ row: AppointmentRow, _ state: inout State) async throws(EventStoreError) {
        let stream = row.appointment.stream
        func add(_ kind: Finding.Kind, _ message: String) {
            state.report.add(Finding(kind, stream: stream, version: row.version, message: message))
        }
        state.streams[stream]?.hasRow = true
        let held = state.streams[stream]
        if held != nil, held?.row == nil { return }
        guard let folded = try await foldOn(stream, from: held?.row, to: row.version, add) else {
            return add(.rowWithoutEvents, "the view has a row that no event explains")
        }
        if row.version < folded.version {
            add(.rowBehind, "the row stands at version \(row.version) of \(folded.version)")
        } else if !isSame(row, folded) {
            add(.rowDiffers, "the row is not the fold of its events")
        }
    }

    private func isSame(_ row: AppointmentRow, _ folded: AppointmentRow) -> Bool {
        if people != nil { return row == folded }
        let without = AppointmentRow(
            appointment: row.appointment, insured: nil, country: row.country, schedule: row.schedule,
            createdAt: row.createdAt, status: row.status, updatedAt: row.updatedAt, processedAt: row.processedAt,
            slot: row.slot, failure: row.failure, version: row.version, leaf: row.leaf)
        return without == folded
    }

    /// Takes in what was appended after the head of this run, as far as the row has come.
    private func foldOn(
        _ stream: StreamID, from row: AppointmentRow?, to version: Int, _ add: (Finding.Kind, String) -> Void
    ) async throws(EventStoreError) -> AppointmentRow? {
        var row = row
        guard version > row?.version ?? 0 else { return row }
        do throws(EventStoreError) {
            for event in try await store.read(stream, from: (row?.version ?? 0) + 1) where event.version <= version {
                row = try await fold(event, onto: row)
            }
        } catch {
            if error.code == .unavailable { throw error }
            add(.entryUnreadable, error.message)
        }
        return row
    }
}
