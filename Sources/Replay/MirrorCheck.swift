package import EventStore
package import Projections
package import TransparencyLog

/// All that a mirror can be asked.
package typealias AnyMirror =
    any MirrorStore & EventFeed & StreamReader & StreamScan & AuditLog & RowReader & RowScan & StoredTree

/// Compares a mirror with its store: every entry by its place, its hash and its position, and every row of the mirror
/// with the fold of its entries. Hashes are recomputed from the bytes on both sides.
///
/// What the mirror has not read yet is a lag, and no finding.
package struct MirrorCheck: Sendable {
    private let feed: any EventFeed
    private let mirror: AnyMirror
    private let records: [any ChainedRecords]
    private let people: PersonResolver?
    private let batch: Int
    private let progress: @Sendable (VerifyProgress) -> Void

    /// - Parameter records: the chains of records in the mirror.
    /// - Parameter people: opens the sealed fields, to compare who asked; without it only their hashes are checked.
    package init(
        feed: any EventFeed, mirror: AnyMirror, records: [any ChainedRecords] = [], people: PersonResolver?,
        batch: Int = 2000, progress: @escaping @Sendable (VerifyProgress) -> Void = { _ in }
    ) {
        (self.feed, self.mirror, self.records, self.people) = (feed, mirror, records, people)
        (self.batch, self.progress) = (max(batch, 1), progress)
    }

    private struct State {
        var report: VerifyReport
        /// The last version of each stream that the store has and the mirror is to have.
        var versions: [StreamID: Int] = [:]
        /// How many of the store's entries the mirror holds at their places.
        var held = 0
        /// Whether the mirror's positions are to be the store's: it has refused none of what it was fed.
        let isInStep: Bool
    }

    /// Compares up to where the mirror has come.
    ///
    /// - Throws: `unavailable`: store or mirror stopped answering and nothing is known. `corrupt` when the store's own
    ///   events can't be read: verify it first.
    package func run() async throws(EventStoreError) -> VerifyReport {
        let reached = try await mirror.state()
        let kept = try await mirror.conflicts(limit: VerifyReport.maximumFindings)
        var state = State(report: VerifyReport([.mirror]), isInStep: kept.isEmpty)
        let end = try await feed.head()
        state.report.head = min(end, reached.checkpoint)
        let missing = reached.checkpoint - reached.position - (try await mirror.conflictCount())
        if reached.checkpoint > end || missing > 0 {
            state.report.add(
                Finding(
                    .mirrorCheckpointAhead, position: reached.checkpoint,
                    message: """
                        the mirror says that it has read up to position \(reached.checkpoint); it has come to \
                        \(reached.position), and the ledger to \(end)
                        """))
        }
        for conflict in kept {
            state.report.add(
                Finding(
                    .mirrorConflict, stream: conflict.event.stream, version: conflict.event.version,
                    message: conflict.reason))
        }
        var position = 0
        while position < state.report.head {
            let events = try await feed.events(after: position, limit: min(batch, state.report.head - position))
            guard let last = events.last?.position else { break }
            try await compare(events, &state)
            position = last
            progress(
                VerifyProgress(position: position, head: state.report.head, findings: state.report.findingCount))
        }
        try await findExtra(&state)
        try await verifyItself(&state)
        for records in records {
            if let finding = try await records.finding(in: "the mirror") { state.report.add(finding) }
        }
        state.report.streams = state.versions.count
        return state.report
    }

    private func compare(_ events: [RecordedEvent], _ state: inout State) async throws(EventStoreError) {
        let held = try await mirror.entries(at: events.map(\.place))
        for event in events {
            state.report.events += 1
            state.versions[event.stream] = event.version
            func add(_ kind: Finding.Kind, at position: Int?, _ message: String) {
                state.report.add(
                    Finding(
                        kind, stream: event.stream, version: event.version, position: position, message: message))
            }
            guard let entry = held[event.place] else {
                add(.mirrorMissing, at: event.position, "the mirror lacks this event")
                continue
            }
            state.held += 1
            if entry.leaf != Hash.leaf(of: event.entry.bytes) {
                add(.mirrorDiffers, at: entry.position, "the mirror holds another event as this version")
            }
            if state.isInStep, let position = event.position, position != entry.position {
                add(.mirrorMisplaced, at: entry.position, "the mirror has it there, and the store at \(position)")
            }
        }
    }

    /// Names the entries that the store does not hold, when there are more than it does.
    private func findExtra(_ state: inout State) async throws(EventStoreError) {
        let counts = try await mirror.counts()
        if counts.reduce(0, { $0 + $1.count }) <= state.held { return }
        var position = 0
        while true {
            let places = try await mirror.places(after: position, limit: batch)
            guard let last = places.last?.position else { return }
            for found in places where found.place.version > state.versions[found.place.stream] ?? 0 {
                let (at, place) = (found.position, found.place)
                // What was appended and mirrored since this began is in the store as well.
                if at > state.report.head, try await feed.events(after: at - 1, limit: 1).first?.place == place {
                    continue
                }
                state.report.add(
                    Finding(
                        .mirrorExtra, stream: place.stream, version: place.version, position: at,
                        message: "the mirror has an event that the store does not"))
            }
            position = last
        }
    }

    /// Has the mirror verified by itself: hashes from its bytes, its chain, its columns, its rows.
    private func verifyItself(_ state: inout State) async throws(EventStoreError) {
        let own = try await Verify(
            feed: mirror, scan: mirror, store: mirror, views: mirror, tree: mirror, people: people, batch: batch,
            progress: progress
        ).run()
        state.report.rows = own.rows
        for finding in own.findings { state.report.add(finding.inMirror) }
        state.report.addUnkept(own.findingCount - own.findings.count)
    }
}

extension Finding {
    /// The same of the mirror.
    fileprivate var inMirror: Finding {
        let kind: Kind =
            switch self.kind {
            case .rowMissing, .rowBehind, .rowDiffers, .rowUnreadable, .rowWithoutEvents: .mirrorRowDiffers
            default: .mirrorDamaged
            }
        return Finding(
            kind, stream: stream, version: version, position: position,
            message: "\(self.kind.rawValue) in the mirror: \(message)")
    }
}
