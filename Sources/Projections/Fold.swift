import Appointments
package import EventStore

/// What the events of one appointment make, taken in one after the other: its row, or what stands in the way of it.
/// What damage there can be, and what is still known after it, is judged here.
package struct Fold: Sendable {
    package let stream: StreamID
    /// The row after the last event that could be taken in.
    package private(set) var row: AppointmentRow?
    /// The version of the last event, taken in or not.
    package private(set) var version: Int
    /// The first thing that stands in the way. Nothing that comes later is folded.
    package private(set) var damage: Damage?
    /// The first event that does not name the leaf of the one before, which does not stand in the way of the row.
    private var broken: EventStoreError?

    /// What stands in the way of a row.
    package struct Damage: Sendable {
        /// Whether versions are missing. Otherwise an event can't be read, or who it is about.
        package let isHole: Bool
        package let version: Int?
        package let position: Int?
        /// What is wrong, without the event's name.
        package let reason: String
        /// What is thrown where the row is needed.
        fileprivate let error: EventStoreError
    }

    /// - Parameter row: the row that earlier events made.
    /// - Parameter version: the version of the last of them, if they made no row.
    package init(_ stream: StreamID, onto row: AppointmentRow? = nil, version: Int = 0) {
        (self.stream, self.row, self.version) = (stream, row, row?.version ?? version)
    }

    /// Of a stream that the store does not give out.
    package init(_ stream: StreamID, unreadable error: EventStoreError) {
        self.init(stream)
        damage = Damage(isHole: false, version: nil, position: nil, reason: error.message, error: error)
    }

    /// Takes in the next event.
    ///
    /// - Parameter persons: who is named by first events.
    package mutating func take(_ event: RecordedEvent, _ persons: Persons, by projection: Projection) {
        let isFirst = event.version == 1
        take(
            event, insured: isFirst ? persons.insured[stream] : nil,
            unreadable: isFirst && !persons.unreadable.isEmpty ? persons.unreadable[stream] : nil, by: projection)
    }

    mutating func take(
        _ event: RecordedEvent, insured: InsuredID?, unreadable: EventStoreError? = nil, by projection: Projection
    ) {
        let before = version
        version = event.version
        if damage != nil { return }
        let verdict = Verdict(of: event, holding: row?.head)
        if verdict == .conflict, broken == nil {
            broken = EventStoreError(
                .corrupt, message: "\(event.named) does not follow the event before it: run `ledger verify`")
        }
        guard version - 1 == before, before == 0 || row != nil else {
            let error = EventStoreError(
                .corrupt, message: "\(event.named) comes where version \(before + 1) is missing: run `ledger verify`")
            return stop(at: event, isHole: true, "version \(version) follows version \(before)", error)
        }
        if let unreadable { return stop(at: event, unreadable.message, unreadable) }
        do throws(EventStoreError) {
            row = try projection.project(event, row, insured)
        } catch {
            let named = EventStoreError(error.code, message: "\(event.named): \(error.message)", cause: error.cause)
            stop(at: event, error.message, named)
        }
    }

    private mutating func stop(
        at event: RecordedEvent, isHole: Bool = false, _ reason: String, _ error: EventStoreError
    ) {
        damage = Damage(
            isHole: isHole, version: event.version, position: event.position, reason: reason, error: error)
    }

    /// The row that all of the events make.
    ///
    /// - Throws: `corrupt`, naming the event, for the first thing that is wrong with them.
    package func whole() throws(EventStoreError) -> AppointmentRow? {
        if let error = broken ?? damage?.error { throw error }
        return row
    }
}

/// Folds ranges of streams, in one way for all that need rows.
package struct RangeFold: Sendable {
    private let people: PersonResolver?
    private let projection: Projection

    /// - Parameter people: opens the sealed fields; without it the rows name nobody.
    package init(_ people: PersonResolver?, by projection: Projection = .appointments) {
        (self.people, self.projection) = (people, projection)
    }

    /// Folds events, each stream's together and in order; of each stream what they make.
    ///
    /// - Parameter isTaken: whether an event is taken in, or left out as if it were not there.
    /// - Throws: `unavailable`.
    package func folds(
        of events: [RecordedEvent], where isTaken: (RecordedEvent) -> Bool = { _ in true }
    ) async throws(EventStoreError) -> [Fold] {
        let persons = try await people?.persons(of: events) ?? Persons()
        var folds: [Fold] = []
        folds.reserveCapacity(events.count / 4)
        // By index, so that no event is copied: that costs more than its fold.
        for index in events.indices where isTaken(events[index]) {
            let stream = events[index].stream
            if folds.last?.stream != stream { folds.append(Fold(stream)) }
            folds[folds.count - 1].take(events[index], persons, by: projection)
        }
        return folds
    }

    /// The row that some events of one stream make on top of one that is known.
    ///
    /// - Throws: `unavailable`, or `corrupt` when one of them can't be read.
    package func row(
        of events: [RecordedEvent], onto row: AppointmentRow?
    ) async throws(EventStoreError) -> AppointmentRow? {
        guard let stream = events.first?.stream else { return row }
        let persons = try await people?.persons(of: events) ?? Persons()
        var fold = Fold(stream, onto: row)
        for event in events { fold.take(event, persons, by: projection) }
        if let damage = fold.damage, !damage.isHole { throw EventStoreError(.corrupt, message: damage.reason) }
        return fold.row
    }

    /// The rows of streams that are whole.
    ///
    /// - Throws: `unavailable`, or `corrupt`, naming the event, for the first thing that is wrong.
    package func rows(of events: [RecordedEvent]) async throws(EventStoreError) -> [AppointmentRow] {
        var rows: [AppointmentRow] = []
        let folds = try await folds(of: events)
        rows.reserveCapacity(folds.count)
        for fold in folds { if let row = try fold.whole() { rows.append(row) } }
        return rows
    }
}
