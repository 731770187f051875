package import Appointments
package import EventStore
package import Projections

/// The reference for sets of views: rows next to rows in memory.
package struct MemoryViewCopies: ViewCopies {
    private let views: MemoryAppointmentView
    private let store: MemoryEventStore
    private let directory: MemorySubjectDirectory
    private let opener: PersonKeys

    package init(
        _ views: MemoryAppointmentView, store: MemoryEventStore, directory: MemorySubjectDirectory, keys: KeyRing
    ) {
        (self.views, self.store, self.directory, opener) = (views, store, directory, PersonKeys(keys))
    }

    package func sets() async throws(EventStoreError) -> [ViewCopy] {
        views.contents.sets.values.map(\.set).sorted { $0.name < $1.name }
    }

    package func begin(
        _ name: String, of projection: ConsumerName, head: Int, now: Timestamp
    ) async throws(EventStoreError) -> ViewCopy {
        try ViewCopy.check(name)
        return try views.changing { contents throws(EventStoreError) in
            if let there = contents.sets[name]?.set, there.projection == projection { return there }
            let set = ViewCopy(name: name, projection: projection, began: head, at: now)
            contents.sets[name] = (set, [:])
            return set
        }
    }

    package func fill(
        _ set: ViewCopy, with rows: [AppointmentRow], through stream: StreamID, events: Int
    ) async throws(EventStoreError) -> ViewCopy {
        try views.changing { contents throws(EventStoreError) in
            guard var there = contents.sets[set.name], there.set == set else { throw ViewCopy.moved(set.name) }
            for row in rows { there.rows[row.appointment] = row }
            there.set.through = stream
            there.set.events += events
            contents.sets[set.name] = there
            return there.set
        }
    }

    package func seal(_ set: ViewCopy) async throws(EventStoreError) {
        try views.changing { contents throws(EventStoreError) in
            guard contents.sets[set.name]?.set == set else { throw ViewCopy.moved(set.name) }
            contents.sets[set.name]?.set.position = set.began
        }
    }

    package func follow(
        _ name: String, with projection: Projection, limit: Int
    ) async throws(EventStoreError) -> Int {
        try views.changing { contents throws(EventStoreError) in
            try follow(name, with: projection, limit: limit, &contents)
        }
    }

    private func follow(
        _ name: String, with projection: Projection, limit: Int, _ contents: inout MemoryAppointmentView.Contents
    ) throws(EventStoreError) -> Int {
        guard var there = contents.sets[name], let position = there.set.position else { throw ViewCopy.unknown(name) }
        let events = store.eventsNow(after: position, limit: limit)
        for event in events {
            let subject = event.insuredSubject.flatMap(directory.subjectNow)
            let insured = try subject.flatMap { subject throws(EventStoreError) in
                try opener.insured(of: event, subject)
            }
            let id = event.stream.appointment
            if let row = try projection.next(event, onto: there.rows[id], insured: insured) { there.rows[id] = row }
            there.set.position = event.position
        }
        contents.sets[name] = there
        return events.count
    }

    package func compare(_ name: String, limit: Int) async throws(EventStoreError) -> SetComparison {
        let contents = views.contents
        guard let other = contents.sets[name], let position = other.set.position else {
            throw ViewCopy.unknown(name)
        }
        let moving = Set(store.eventsNow(after: position, limit: .max).map(\.stream.appointment))
        var found = SetComparison()
        let ids = Set(contents.rows.keys).union(other.rows.keys).subtracting(moving).sorted()
        for kind in RowDifference.Kind.allCases {
            for id in ids {
                let (live, rebuilt) = (contents.rows[id], other.rows[id])
                let here: RowDifference.Kind? =
                    live == rebuilt ? nil : live == nil ? .added : rebuilt == nil ? .missing : .changed
                if here == kind {
                    found.add(RowDifference(kind, id, live: live, rebuilt: rebuilt), limit: limit)
                }
            }
        }
        found.equal = ids.count - found.differences
        return found
    }

    package func swap(
        _ name: String, with projection: Projection, keepingAs kept: String?, coversAll: Bool, now: Timestamp
    ) async throws(EventStoreError) -> SwapOutcome {
        try views.changing { contents throws(EventStoreError) in
            while try follow(name, with: projection, limit: 1000, &contents) == 1000 {}
            guard let other = contents.sets[name], let position = other.set.position else {
                throw ViewCopy.unknown(name)
            }
            let uncovered = contents.rows.count { other.rows[$0]?.version ?? -1 < $1.version }
            if coversAll, uncovered > 0 { return .uncovered(rows: uncovered) }
            let live =
                contents.checkpoints.keys.first {
                    $0.name == projection.name.name && contents.paused[$0] == nil
                } ?? projection.name
            if live == projection.name, let since = contents.paused[live] { return .held(since: since) }
            let old = ViewCopy(
                name: kept ?? "", projection: live, began: 0, events: 0,
                position: contents.checkpoints[live, default: 0], at: now)
            contents.sets[name] = nil
            if let kept { contents.sets[kept] = (old, contents.rows) }
            contents.rows = other.rows
            contents.checkpoints[projection.name] = position
            if live != projection.name {
                contents.paused[projection.name] = nil
                contents.paused[live] = now
            }
            contents.parked[projection.name]?.removeAll { $0.version <= other.rows[$0.appointment]?.version ?? 0 }
            return .swapped(position: position)
        }
    }

    package func mend(
        _ appointment: AppointmentID, with row: AppointmentRow?, of projection: ConsumerName
    ) async throws(EventStoreError) -> Bool {
        try views.changing { contents throws(EventStoreError) in
            guard store.readNow(appointment.stream).last?.version ?? 0 == row?.version ?? 0 else { return false }
            contents.rows[appointment] = row
            contents.parked[projection]?.removeAll {
                $0.appointment == appointment && $0.version <= row?.version ?? .max
            }
            return true
        }
    }

    /// Memory has a row under no other id.
    package func removeStray(_ key: String) async throws(EventStoreError) -> Bool { false }

    package func drop(_ name: String) async throws(EventStoreError) -> Bool {
        try views.changing { contents throws(EventStoreError) in contents.sets.removeValue(forKey: name) != nil }
    }
}
