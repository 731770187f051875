import Appointments
import EventStore
import Projections

/// The rows of the view, compared with what the events make.
extension Verify {
    func compareRows(_ state: inout State) async throws(EventStoreError) {
        let streams = state.streams.keys.sorted()
        var after: StreamID?
        for end in stride(from: batch, to: max(streams.count, 1) + batch, by: batch) {
            let isLast = end >= streams.count
            let range = isLast ? .rest(after: after) : StreamRange(after: after, through: streams[end - 1])
            do throws(EventStoreError) {
                let rows = try await views.rows(in: range)
                for row in rows { try await compare(row, &state) }
                state.report.rows += rows.count
            } catch {
                if error.code == .unavailable { throw error }
                try await compareSingly(range, &state, error)
            }
            after = range.through
        }
        for (stream, held) in state.streams.filter({ !$0.value.hasRow }).sorted(by: { $0.key < $1.key }) {
            state.report.add(
                Finding(
                    .rowMissing, stream: stream, version: held.head.version,
                    message: "the appointment has events and no row in the view"))
        }
    }

    /// Goes through the rows of a range one by one, to name those that the view can't give out.
    private func compareSingly(
        _ range: StreamRange, _ state: inout State, _ damage: EventStoreError
    ) async throws(EventStoreError) {
        var isNamed = false
        for stream in state.streams.filter({ !$0.value.hasRow && range.contains($0.key) }).keys.sorted() {
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

    func compare(_ row: AppointmentRow, _ state: inout State) async throws(EventStoreError) {
        let stream = row.appointment.stream
        func add(_ kind: Finding.Kind, _ message: String) {
            state.report.add(Finding(kind, stream: stream, version: row.version, message: message))
        }
        state.streams[stream]?.hasRow = true
        let held = state.streams[stream]
        if held != nil, held?.row == nil { return }
        let folded: AppointmentRow
        do throws(EventStoreError) {
            guard let made = try await foldOn(stream, from: held?.row, to: row.version) else {
                return add(.rowWithoutEvents, "the view has a row that no event explains")
            }
            folded = made
        } catch {
            // Its events are there and can't be read: that says nothing about the row.
            if error.code == .unavailable { throw error }
            return add(.entryUnreadable, error.message)
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
