import Appointments
import EventStore
import Projections

/// The rows of the view, compared with what the events make.
extension Verify {
    /// What the comparison of a range of streams has found.
    private struct RangeReport: Sendable {
        var findings: [Finding] = []
        var rows = 0

        mutating func add(
            _ kind: Finding.Kind, _ stream: StreamID?, version: Int? = nil, position: Int? = nil, _ message: String
        ) {
            findings.append(Finding(kind, stream: stream, version: version, position: position, message: message))
        }
    }

    /// The row that the events of a stream make.
    private struct Folded {
        /// Nil where they can't be folded, which was reported.
        var row: AppointmentRow?
        /// The version of the last event.
        var version = 0
        var hasRow = false
    }

    func compareRows(_ state: inout State) async throws(EventStoreError) {
        var after: StreamID?
        var isOver = false
        let (head, streams) = (state.report.head, state.streams)
        // Only damage asks for it, and then once for each damaged range.
        let known = { @Sendable (range: StreamRange) in streams.keys.filter(range.contains).sorted() }
        try await inOrder(ahead: Self.windows) { () throws(EventStoreError) in
            if isOver { return nil }
            // Behind the last stream may stand rows that no event explains.
            let range = try await scan.range(after: after, events: batch) ?? .rest(after: after)
            (isOver, after) = (range == .rest(after: after), range.through)
            return range
        } work: { range throws(EventStoreError) in
            try await compare(range, upTo: head, known)
        } take: { (found: RangeReport) throws(EventStoreError) in
            for finding in found.findings { state.report.add(finding) }
            state.report.rows += found.rows
        }
    }

    private func compare(
        _ range: StreamRange, upTo head: Int, _ known: @Sendable (StreamRange) -> [StreamID]
    ) async throws(EventStoreError) -> RangeReport {
        var report = RangeReport()
        // The events before the rows: what a row has beyond them is read again.
        var folded: [StreamID: Folded]
        do throws(EventStoreError) {
            folded = try await fold(try await scan.events(in: range), upTo: head, &report)
        } catch {
            try error.throwIfUnavailable()
            folded = [:]
            for stream in known(range) {
                do throws(EventStoreError) {
                    let events = try await store.read(stream)
                    folded.merge(try await fold(events, upTo: head, &report)) { $1 }
                } catch {
                    try error.throwIfUnavailable()
                    // The chain has named the event that can't be read.
                    folded[stream] = Folded()
                }
            }
        }
        do throws(EventStoreError) {
            for row in try await views.rows(in: range) { try await take(row, &folded, &report) }
        } catch {
            try error.throwIfUnavailable()
            try await compareSingly(range, &folded, error, &report)
        }
        for (stream, made) in folded.filter({ !$0.value.hasRow }).sorted(by: { $0.key < $1.key }) {
            report.add(
                .rowMissing, stream, version: made.version > 0 ? made.version : nil,
                "the appointment has events and no row in the view")
        }
        return report
    }

    /// Goes through the rows of a range one by one, to name those that the view can't give out.
    private func compareSingly(
        _ range: StreamRange, _ folded: inout [StreamID: Folded], _ damage: EventStoreError,
        _ report: inout RangeReport
    ) async throws(EventStoreError) {
        let before = report.findings.count
        for key in try await views.keys(in: range) {
            switch key {
            case .stray(let name):
                report.findings.append(
                    Finding(.rowUnreadable, key: name, message: "a row stands under an id that is none: \(name)"))
            case .appointment(let id):
                do throws(EventStoreError) {
                    guard let row = try await views.row(id) else { continue }
                    try await take(row, &folded, &report)
                } catch {
                    try error.throwIfUnavailable()
                    folded[id.stream]?.hasRow = true
                    report.add(.rowUnreadable, id.stream, error.message)
                }
            }
        }
        if report.findings.count == before { report.add(.rowUnreadable, nil, damage.message) }
    }

    private func take(
        _ row: AppointmentRow, _ folded: inout [StreamID: Folded], _ report: inout RangeReport
    ) async throws(EventStoreError) {
        let stream = row.appointment.stream
        report.rows += 1
        let made = folded[stream]
        folded[stream]?.hasRow = true
        // Events that can't be folded say nothing about the row.
        if let made, made.row == nil { return }
        if let found = try await damage(of: row, folded: made?.row) {
            report.add(found.kind, stream, version: row.version, found.message)
        }
    }

    /// How a row differs from what its events make.
    func damage(
        of row: AppointmentRow, folded held: AppointmentRow?
    ) async throws(EventStoreError) -> (kind: Finding.Kind, message: String)? {
        let folded: AppointmentRow
        do throws(EventStoreError) {
            guard let made = try await foldOn(row.appointment.stream, from: held, to: row.version) else {
                return (.rowWithoutEvents, "the view has a row that no event explains")
            }
            folded = made
        } catch {
            // Its events are there and can't be read: that says nothing about the row.
            try error.throwIfUnavailable()
            return (.entryUnreadable, error.message)
        }
        if row.version < folded.version {
            return (.rowBehind, "the row stands at version \(row.version) of \(folded.version)")
        }
        return isSame(row, folded) ? nil : (.rowDiffers, "the row is not the fold of its events")
    }

    private func isSame(_ row: AppointmentRow, _ folded: AppointmentRow) -> Bool {
        if people != nil { return row == folded }
        let without = AppointmentRow(
            appointment: row.appointment, insured: nil, country: row.country, schedule: row.schedule,
            createdAt: row.createdAt, status: row.status, updatedAt: row.updatedAt, processedAt: row.processedAt,
            slot: row.slot, failure: row.failure, version: row.version, leaf: row.leaf)
        return without == folded
    }
}

// MARK: - Folding

extension Verify {
    /// The rows that events make, by stream. What can't be folded is reported.
    private func fold(
        _ events: [RecordedEvent], upTo head: Int, _ report: inout RangeReport
    ) async throws(EventStoreError) -> [StreamID: Folded] {
        let insured = try await insured(of: events)
        var folded: [StreamID: Folded] = [:]
        folded.reserveCapacity(events.count / 4)
        var (stream, made) = (StreamID?.none, Folded())
        for event in events where event.position ?? 0 <= head {
            if event.stream != stream {
                if let stream { folded[stream] = made }
                (stream, made) = (event.stream, Folded())
            }
            let follows = event.version == made.version + 1 && (made.version == 0 || made.row != nil)
            made.version = event.version
            guard follows else {
                // Behind a hole or an event that can't be folded there is nothing to fold onto: that was said already.
                made.row = nil
                continue
            }
            do throws(EventStoreError) {
                made.row = try await fold(event, onto: made.row, insured[event.stream])
            } catch {
                try error.throwIfUnavailable()
                made.row = nil
                report.add(
                    event.version == 1 ? .sealedDiffers : .entryUnreadable, event.stream, version: event.version,
                    position: event.position, error.message)
            }
        }
        if let stream { folded[stream] = made }
        return folded
    }

    /// Who asked, by stream; only as far as it could be opened. One that does not open is looked for, and named, when
    /// it is its turn.
    private func insured(of events: [RecordedEvent]) async throws(EventStoreError) -> [StreamID: InsuredID] {
        do throws(EventStoreError) {
            return try await people?.insured(ofAll: events) ?? [:]
        } catch {
            try error.throwIfUnavailable()
            return [:]
        }
    }

    func fold(
        _ event: RecordedEvent, onto row: AppointmentRow?, _ known: InsuredID? = nil
    ) async throws(EventStoreError) -> AppointmentRow {
        let insured = event.version > 1 ? nil : known != nil ? known : try await people?.insured(of: event)
        return try AppointmentProjection.project(event, onto: row, insured: insured)
    }

    /// Takes in what was appended after the head of this run, as far as the row has come.
    private func foldOn(
        _ stream: StreamID, from row: AppointmentRow?, to version: Int
    ) async throws(EventStoreError) -> AppointmentRow? {
        var row = row
        guard version > row?.version ?? 0 else { return row }
        for event in try await store.read(stream, from: (row?.version ?? 0) + 1) where event.version <= version {
            row = try await fold(event, onto: row)
        }
        return row
    }
}
