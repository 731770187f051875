package import Appointments
package import EventStore
package import Projections

/// Compares what the store's events make with copies of it, by one digest an appointment, and looks closer where two
/// digests differ.
package struct Reconcile: Sendable {
    private let scan: any StreamScan
    private let copies: [Copy]
    private let people: PersonResolver
    private let rangeEvents: Int

    /// Rows that are to be what the events make: the view, or the view of a mirror.
    package struct Copy: Sendable {
        package let name: String
        package let rows: any RowScan
        /// How far it is known to have come; nil for one that is written along with the events.
        package let reached: Int?

        package init(_ name: String, _ rows: any RowScan, reached: Int? = nil) {
            (self.name, self.rows, self.reached) = (name, rows, reached)
        }
    }

    package init(scan: any StreamScan, copies: [Copy], people: PersonResolver, rangeEvents: Int = 4000) {
        (self.scan, self.copies, self.people, self.rangeEvents) = (scan, copies, people, rangeEvents)
    }

    /// An appointment whose digests differ.
    package struct Difference: Sendable {
        package let appointment: AppointmentID
        package let copy: String
        /// What the events make; nil for an appointment without events.
        package let store: AppointmentRow?
        /// What the copy has; nil where it has nothing.
        package let held: AppointmentRow?
    }

    /// What was compared and found.
    package struct Report: Sendable {
        package var appointments = 0
        package var differences = 0
        /// How often a copy had not come as far as the events, and held what it was to hold up to there.
        package var behind = 0
        /// The digest of all of the store's digests, in the order of ids.
        package var digest = Hash(of: [])
    }

    private struct Part: Sendable {
        let store: [AppointmentRow]
        let copies: [[AppointmentRow]]
    }

    /// Compares all appointments and gives each difference to `body`, in the order of ids.
    ///
    /// - Throws: `unavailable`; `corrupt`, naming it, for an event or a row that can't be read: `ledger verify` finds
    ///   them all.
    package func run(
        _ body: (Difference) throws(EventStoreError) -> Void, progress: (Int) -> Void = { _ in }
    ) async throws(EventStoreError) -> Report {
        var report = Report()
        var after: StreamID?
        var isOver = false
        try await inOrder(ahead: 4) { () throws(EventStoreError) in
            if isOver { return nil }
            guard let range = try await scan.range(after: after, events: rangeEvents) else {
                isOver = true
                return .rest(after: after)
            }
            after = range.through
            return range
        } work: { (range: StreamRange) throws(EventStoreError) in
            try await read(range)
        } take: { (part: Part) throws(EventStoreError) in
            for (copy, rows) in zip(copies, part.copies) {
                for difference in Self.differences(part.store, rows, copy.name) {
                    if try await isNewer(difference) { continue }
                    if try await isBehind(difference, copy.reached) {
                        report.behind += 1
                        continue
                    }
                    report.differences += 1
                    try body(difference)
                }
            }
            for row in part.store { report.digest = Hash(of: report.digest.bytes + row.digest.bytes) }
            report.appointments += part.store.count
            progress(report.appointments)
        }
        return report
    }

    private func read(_ range: StreamRange) async throws(EventStoreError) -> Part {
        // Copies first: what moves in between is ahead in the store, and looked at once more below.
        var held: [[AppointmentRow]] = []
        for copy in copies { held.append(try await copy.rows.rows(in: range)) }
        let rows = try await fold(range)
        for index in copies.indices where held[index] != rows {
            held[index] = try await copies[index].rows.rows(in: range)
        }
        return Part(store: rows, copies: held)
    }

    private func fold(_ range: StreamRange) async throws(EventStoreError) -> [AppointmentRow] {
        try await FoldedRows(scan, people).rows(in: range)
    }

    /// Whether a copy only holds an event that was appended after the store was read.
    private func isNewer(_ difference: Difference) async throws(EventStoreError) -> Bool {
        guard let held = difference.held, held.version > difference.store?.version ?? 0 else { return false }
        return try await fold(.only(held.appointment.stream)).first?.digest == held.digest
    }

    /// Whether a copy only lacks what came after the position that it had reached.
    private func isBehind(_ difference: Difference, _ reached: Int?) async throws(EventStoreError) -> Bool {
        guard let reached, difference.held?.version ?? 0 < difference.store?.version ?? 0 else { return false }
        let events = try await scan.events(in: .only(difference.appointment.stream))
        let least = events.prefix { ($0.position ?? 0) <= reached }.count
        let held = difference.held?.version ?? 0
        guard (least..<events.count).contains(held) else { return false }
        return try await RangeFold(people).rows(of: Array(events.prefix(held))).first?.digest
            == difference.held?.digest
    }

    private static func differences(
        _ store: [AppointmentRow], _ held: [AppointmentRow], _ copy: String
    ) -> [Difference] {
        if store == held { return [] }
        return pairs(store.map(\.appointment), held.map(\.appointment)).compactMap { (first, second) in
            let (ours, theirs) = (first.map { store[$0] }, second.map { held[$0] })
            guard let id = (ours ?? theirs)?.appointment, ours?.digest != theirs?.digest else { return nil }
            return Difference(appointment: id, copy: copy, store: ours, held: theirs)
        }
    }
}

/// The rows that the events of a scan make, as something that can be compared.
package struct FoldedRows: RowScan {
    private let scan: any StreamScan
    private let people: PersonResolver

    package init(_ scan: any StreamScan, _ people: PersonResolver) { (self.scan, self.people) = (scan, people) }

    package func rows(in range: StreamRange) async throws(EventStoreError) -> [AppointmentRow] {
        try await RangeFold(people).rows(of: try await scan.events(in: range))
    }
}

extension AppointmentRow {
    /// A digest of everything in the row.
    package var digest: Hash {
        var writer = JSONWriter(reservingCapacity: 512)
        writer.array { writer in
            for field in fields(showing: .whole) {
                if let value = field.value { writer.string(value) } else { writer.null() }
            }
        }
        return Hash(of: [UInt8](appointment.description.utf8) + writer.bytes)
    }
}
