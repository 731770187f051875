import Appointments
package import EventStore
package import Projections

/// Makes a mirror the copy of its store again: each entry at its position, each row the fold of its events. The store
/// is never touched.
package struct MirrorRepair: Sendable {
    private let feed: any EventFeed
    private let scan: any StreamScan
    private let mirror: AnyMirror
    private let people: PersonResolver
    private let batch: Int

    package init(
        feed: any EventFeed, scan: any StreamScan, mirror: AnyMirror, people: PersonResolver, batch: Int = 2000
    ) {
        (self.feed, self.scan, self.mirror, self.people) = (feed, scan, mirror, people)
        self.batch = max(batch, 1)
    }

    /// What a position of the mirror needs.
    package struct Step: Equatable, Sendable {
        package let action: Action
        package let position: Int
        /// The event that belongs there; the one that stands there for `remove`.
        package let place: EventPlace
    }

    /// What can be done.
    package enum Action: String, Sendable {
        /// The mirror lost the entry: it is written at its position.
        case fill
        /// Something else stands there, or what stands there was changed: it gives way to the entry.
        case replace
        /// The store has nothing there: it is taken away.
        case remove
    }

    /// What a repair does, or would do.
    package struct Outcome: Sendable {
        package fileprivate(set) var entries: [Action: Int] = [:]
        package fileprivate(set) var rows = 0

        package var isEmpty: Bool { entries.isEmpty && rows == 0 }
    }

    /// Goes through the whole mirror and mends what differs, batch by batch.
    ///
    /// - Parameters:
    ///   - isDry: whether it only says what it would do.
    ///   - fillsOnly: whether it leaves alone what stands at a position, right or wrong.
    ///   - report: is told each step about an entry, before it is done.
    ///   - progress: is told the position that it has come to, and the last one.
    /// - Throws: `unavailable`: what was mended stays mended. `invalid` when the login may not replace entries.
    package func run(
        isDry: Bool, fillsOnly: Bool = false, report: (Step) throws -> Void, progress: (Int, Int) -> Void = { _, _ in }
    ) async throws -> Outcome {
        var outcome = Outcome()
        let head = min(try await feed.head(), try await mirror.state().checkpoint)
        var position = 0
        while position < head {
            let events = try await feed.events(after: position, limit: min(batch, head - position))
            guard let last = events.last?.position else { break }
            var steps = try await steps(for: events, after: position, through: last)
            if fillsOnly { steps.removeAll { $0.action != .fill } }
            for step in steps { try report(step) }
            try await carryOut(steps, events, isDry: isDry, &outcome)
            position = last
            progress(position, head)
        }
        if !fillsOnly { try await removeRest(behind: head, isDry: isDry, report, &outcome) }
        try await mendRows(isDry: isDry, &outcome)
        return outcome
    }

    private func carryOut(
        _ steps: [Step], _ events: [RecordedEvent], isDry: Bool, _ outcome: inout Outcome
    ) async throws(EventStoreError) {
        if steps.isEmpty { return }
        for step in steps { outcome.entries[step.action, default: 0] += 1 }
        if isDry { return }
        let wanted = Set(steps.filter { $0.action != .remove }.map(\.position))
        try await mirror.mend(
            events.filter { $0.position.map(wanted.contains) ?? false },
            removing: steps.filter { $0.action != .fill }.map(\.position))
    }
}

// MARK: - Entries

extension MirrorRepair {
    /// What the positions of some events need.
    private func steps(
        for events: [RecordedEvent], after start: Int, through end: Int
    ) async throws(EventStoreError) -> [Step] {
        var held: [Int: MirroredPlace] = [:]
        for place in try await mirror.places(after: start, limit: end - start) where place.position <= end {
            held[place.position] = place
        }
        let whole = try await wholePositions(after: start, through: end)
        var steps: [Step] = []
        for event in events {
            guard let position = event.position else { continue }
            let found = held.removeValue(forKey: position)
            let isRight = found?.place == event.place && found?.leaf == event.leaf && whole.contains(position)
            if isRight { continue }
            steps.append(Step(action: found == nil ? .fill : .replace, position: position, place: event.place))
        }
        steps += held.values.map { Step(action: .remove, position: $0.position, place: $0.place) }
        return steps.sorted { $0.position < $1.position }
    }

    /// The positions whose entries hash to their leaves, and whose columns say what the entry says.
    private func wholePositions(after start: Int, through end: Int) async throws(EventStoreError) -> Set<Int> {
        do throws(EventStoreError) {
            return Set(try await mirror.events(after: start, limit: end - start).compactMap(\.position))
        } catch {
            if error.code == .unavailable { throw error }
        }
        var whole: Set<Int> = []
        for position in start..<end {
            do throws(EventStoreError) {
                if try await mirror.events(after: position, limit: 1).first?.position == position + 1 {
                    whole.insert(position + 1)
                }
            } catch {
                if error.code == .unavailable { throw error }
            }
        }
        return whole
    }

    /// Takes away what stands behind all that the mirror has read of its feed.
    private func removeRest(
        behind head: Int, isDry: Bool, _ report: (Step) throws -> Void, _ outcome: inout Outcome
    ) async throws {
        // What a worker takes in meanwhile stands there by right.
        guard try await mirror.state().checkpoint == head else { return }
        while true {
            let rest = try await mirror.places(after: head, limit: batch)
            if rest.isEmpty { return }
            let steps = rest.map { Step(action: .remove, position: $0.position, place: $0.place) }
            for step in steps { try report(step) }
            try await carryOut(steps, [], isDry: isDry, &outcome)
            if isDry { return }
        }
    }
}

// MARK: - Rows

extension MirrorRepair {
    /// Writes the rows anew that are not the fold of those events that the mirror holds.
    private func mendRows(isDry: Bool, _ outcome: inout Outcome) async throws(EventStoreError) {
        var after: StreamID?
        while let range = try await scan.range(after: after, events: batch) {
            try await mendRows(in: range, isDry: isDry, &outcome)
            after = range.through
        }
        try await mendRows(in: .rest(after: after), isDry: isDry, &outcome)
    }

    private func mendRows(
        in range: StreamRange, isDry: Bool, _ outcome: inout Outcome
    ) async throws(EventStoreError) {
        let events = try await scan.events(in: range)
        let entries = try await mirror.entries(at: events.map(\.place))
        let insured = try await people.insured(ofAll: events)
        var wanted: [AppointmentID: AppointmentRow] = [:]
        for event in events where entries[event.place] != nil {
            let id = event.stream.appointment
            wanted[id] = try AppointmentProjection.project(event, onto: wanted[id], insured: insured[event.stream])
        }
        let held = try await rows(in: range, of: Set(events.map(\.stream.appointment)))
        var rows: [AppointmentID: AppointmentRow?] = [:]
        for id in Set(wanted.keys).union(held.keys) where held[id] != .some(wanted[id]) {
            rows[id] = .some(wanted[id])
        }
        outcome.rows += rows.count
        if !isDry, !rows.isEmpty { try await mirror.mend(rows) }
    }

    /// The rows of a range; nil for one that can't be read.
    private func rows(
        in range: StreamRange, of appointments: Set<AppointmentID>
    ) async throws(EventStoreError) -> [AppointmentID: AppointmentRow?] {
        var held: [AppointmentID: AppointmentRow?] = [:]
        do throws(EventStoreError) {
            for row in try await mirror.rows(in: range) { held[row.appointment] = row }
            return held
        } catch {
            if error.code == .unavailable { throw error }
        }
        for appointment in appointments {
            do throws(EventStoreError) {
                if let row = try await mirror.row(appointment) { held[appointment] = row }
            } catch {
                if error.code == .unavailable { throw error }
                held[appointment] = .some(nil)
            }
        }
        return held
    }
}
