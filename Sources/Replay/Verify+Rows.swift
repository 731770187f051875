import Appointments
import EventStore
import Projections

/// The rows of the view, compared with what the events make.
extension Verify {
    /// What the comparison of a range of streams has found.
    private struct RangeReport: Sendable {
        var findings: [Finding] = []
        var rows = 0
        var events = 0
        var streams = 0

        mutating func add(
            _ kind: Finding.Kind, _ stream: StreamID?, version: Int? = nil, position: Int? = nil, _ message: String
        ) {
            findings.append(Finding(kind, stream: stream, version: version, position: position, message: message))
        }
    }

    func compareRows(_ state: inout State) async throws(EventStoreError) {
        var after: StreamID?
        var isOver = false
        let (head, streams) = (state.report.head, state.streams)
        // Only damage asks for it, and then once for each damaged range.
        let known = { @Sendable (range: StreamRange) in streams.keys.filter(range.contains).sorted() }
        try await inOrder(ahead: Self.windows) { () throws(EventStoreError) in
            if isOver { return nil }
            // After the last stream there may be rows that no event explains.
            let range = try await scan.range(after: after, events: batch) ?? .rest(after: after)
            (isOver, after) = (range == .rest(after: after), range.through)
            return range
        } work: { range throws(EventStoreError) in
            try await compare(range, upTo: head, known)
        } take: { (found: RangeReport) throws(EventStoreError) in
            for finding in found.findings { state.report.add(finding) }
            state.report.rows += found.rows
            if readsChain { return }
            state.report.events += found.events
            state.report.streams += found.streams
            progress(
                VerifyProgress(position: state.report.events, head: head, findings: state.report.findingCount))
        }
    }

    private func compare(
        _ range: StreamRange, upTo head: Int, _ known: @Sendable (StreamRange) -> [StreamID]
    ) async throws(EventStoreError) -> RangeReport {
        var report = RangeReport()
        // The events before the rows: what a row has beyond them is read again.
        let folds = try await folds(range, upTo: head, known, &report)
        let found = try await FoundRows(range, of: views)
        let before = report.findings.count
        var missing: [Fold] = []
        for pair in found.compared(with: folds) {
            let fold = pair.fold.map { folds[$0] }
            guard let held = pair.row.map({ found.rows[$0] }) else {
                if let fold { missing.append(fold) }
                continue
            }
            do throws(EventStoreError) {
                let row = try held.row.get()
                report.rows += 1
                if let found = try await damage(of: row, fold) {
                    report.add(found.kind, fold?.stream ?? row.appointment.stream, version: row.version, found.message)
                }
            } catch {
                try error.throwIfUnavailable()
                report.add(.rowUnreadable, held.appointment.stream, error.message)
            }
        }
        for name in found.strays {
            report.findings.append(
                Finding(.rowUnreadable, key: name, message: "a row stands under an id that is none: \(name)"))
        }
        if let damage = found.damage, report.findings.count == before {
            report.add(.rowUnreadable, nil, damage.message)
        }
        for fold in missing {
            report.add(
                .rowMissing, fold.stream, version: fold.version > 0 ? fold.version : nil,
                "the appointment has events and no row in the view")
        }
        return report
    }

    /// What the events of a range make, stream by stream.
    private func folds(
        _ range: StreamRange, upTo head: Int, _ known: @Sendable (StreamRange) -> [StreamID],
        _ report: inout RangeReport
    ) async throws(EventStoreError) -> [Fold] {
        let events = try await unlessDamaged { () throws(EventStoreError) in try await scan.events(in: range) }
        if let events { return try await folds(of: events, upTo: head, &report) }
        var folds: [Fold] = []
        for stream in readsChain ? known(range) : try await streams(in: range) {
            do throws(EventStoreError) {
                folds += try await self.folds(of: try await store.read(stream), upTo: head, &report)
            } catch {
                try error.throwIfUnavailable()
                // The chain, where it is read, has named the event that can't be read.
                folds.append(Fold(stream, unreadable: error))
                report.streams += 1
                if !readsChain { report.add(.entryUnreadable, stream, error.message) }
            }
        }
        return folds
    }

    /// The streams of a range, whether or not their events can be read.
    private func streams(in range: StreamRange) async throws(EventStoreError) -> [StreamID] {
        var streams: [StreamID] = []
        var after = range.after
        while let next = try await scan.range(after: after, events: 1)?.through, next <= range.through {
            streams.append(next)
            after = next
        }
        return streams
    }

    private func folds(
        of events: [RecordedEvent], upTo head: Int, _ report: inout RangeReport
    ) async throws(EventStoreError) -> [Fold] {
        var count = 0
        let folds = try await fold.folds(of: events) { event in
            let isTaken = event.position ?? 0 <= head
            if isTaken { count += 1 }
            return isTaken
        }
        (report.events, report.streams) = (report.events + count, report.streams + folds.count)
        for fold in folds {
            guard let damage = fold.damage, let kind = kind(of: damage) else { continue }
            report.add(kind, fold.stream, version: damage.version, position: damage.position, damage.reason)
        }
        return folds
    }

    /// The finding that an event makes which stands in the way of a row; nil where the chain has named it.
    func kind(of damage: Fold.Damage) -> Finding.Kind? {
        if damage.isHole { return readsChain ? nil : .versionGap }
        return damage.version == 1 ? .sealedDiffers : .entryUnreadable
    }

    /// How a row differs from what its events make. Events that can't be folded say nothing about it.
    func damage(
        of row: AppointmentRow, _ made: Fold?
    ) async throws(EventStoreError) -> (kind: Finding.Kind, message: String)? {
        if made?.damage != nil { return nil }
        var folded = made?.row
        do throws(EventStoreError) {
            // What was appended after the head of this run, as far as the row has come.
            if row.version > folded?.version ?? 0 {
                let stream = row.appointment.stream
                let events = try await store.read(stream, from: (folded?.version ?? 0) + 1)
                folded = try await fold.row(of: events.filter { $0.version <= row.version }, onto: folded)
            }
        } catch {
            // Its events are there and can't be read: that says nothing about the row.
            try error.throwIfUnavailable()
            return (.entryUnreadable, error.message)
        }
        guard let folded else { return (.rowWithoutEvents, "the view has a row that no event explains") }
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

    private var fold: RangeFold { RangeFold(people) }
}
