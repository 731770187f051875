import Appointments
package import EventStore
package import Projections

/// Makes a set of the view's tables anew from the events, next to the live one.
///
/// Streams are read range by range in the order of their ids, folded concurrently, and written in that order, so
/// each row is written once and memory does not grow with their number. Each write keeps the mark of its last stream:
/// a rebuild that was killed goes on after it. An event that can't be folded stops it. It has nothing to publish with.
package struct Rebuild: Sendable {
    private let scan: any StreamScan
    private let feed: any EventFeed
    private let sets: any ViewCopies
    private let people: PersonResolver
    private let projection: Projection
    private let sizes: Sizes
    private let progress: @Sendable (RebuildProgress) -> Void

    /// How much is in hand together.
    package struct Sizes: Sendable {
        /// Events of a range of streams.
        package var rangeEvents = 2000
        /// Ranges that are read and folded concurrently, and kept until it is their turn to be written.
        package var ranges = 12
        /// Rows of one write.
        package var rows = 4000
        /// Events of one step when the set is brought up.
        package var stepEvents = 1000

        package init() {}
    }

    package init(
        scan: any StreamScan, feed: any EventFeed, sets: any ViewCopies, people: PersonResolver,
        projection: Projection = .appointments, sizes: Sizes = Sizes(),
        progress: @escaping @Sendable (RebuildProgress) -> Void = { _ in }
    ) {
        (self.scan, self.feed, self.sets, self.people) = (scan, feed, sets, people)
        (self.projection, self.sizes, self.progress) = (projection, sizes, progress)
    }

    /// Fills a set, or goes on where the last run was stopped, and brings it up to the head.
    ///
    /// - Throws: `unavailable`; `corrupt`, naming the event, when one can't be folded; `invalid` for a name that is
    ///   none.
    package func build(_ name: String, now: Timestamp) async throws(EventStoreError) {
        let head = try await feed.head()
        let set = try await sets.begin(name, of: projection.name, head: head, now: now)
        if set.position == nil {
            guard head >= set.began else {
                throw EventStoreError(
                    .invalid,
                    message: """
                        the rebuild was begun at position \(set.began), and what it is to go on from has come to \
                        \(head): begin it anew, or wait
                        """)
            }
            let filled = try await fill(set)
            guard filled.events >= set.began else {
                throw EventStoreError(
                    .corrupt,
                    message: "\(filled.events) events were found for \(set.began) positions: run `ledger verify`")
            }
            progress(RebuildProgress(.indexing, events: filled.events, of: max(head, filled.events)))
            try await sets.seal(filled)
        }
        try await catchUp(name)
    }

    /// Brings a set up to the head, or as near to it as one step comes: under traffic no look finds nothing new, and
    /// what is left is for the swap.
    ///
    /// - Throws: as `build`.
    package func catchUp(_ name: String) async throws(EventStoreError) {
        var (count, goal) = (0, Int?.none)
        while true {
            let step = try await sets.follow(name, with: projection, limit: sizes.stepEvents)
            if step < sizes.stepEvents { return }
            count += step
            progress(RebuildProgress(.catchingUp, events: count, of: count))
            // Writers that are faster are not waited for either: the swap holds them off while it takes in the rest.
            let position = try await sets.sets().first { $0.name == name }?.position
            if let goal, let position, position >= goal { return }
            if goal == nil { goal = try await feed.head() }
        }
    }

    /// Brings the set up and puts it in the place of the live one.
    ///
    /// - Returns: `swapped`, `uncovered` or `held`.
    /// - Throws: as `build`.
    package func swap(
        _ name: String, keepingAs kept: String?, coversAll: Bool, now: Timestamp
    ) async throws(EventStoreError) -> SwapOutcome {
        for _ in 0..<Self.swaps {
            try await catchUp(name)
            let outcome = try await sets.swap(
                name, with: projection, keepingAs: kept, coversAll: coversAll, now: now)
            if outcome != .behind { return outcome }
        }
        throw EventStoreError(
            .unavailable,
            message: """
                events are appended faster than the set takes them in: give the command again at a quieter time; it \
                goes on where this one has come to
                """)
    }

    /// How often a swap is tried whose set lags too far.
    private static let swaps = 50

    // MARK: Filling

    private struct Part: Sendable {
        let through: StreamID
        let events: Int
        /// The last of them, for people.
        let last: String?
        let rows: [AppointmentRow]
    }

    private func fill(_ begun: ViewCopy) async throws(EventStoreError) -> ViewCopy {
        let head = try await feed.head()
        var set = begun
        var after = begun.through
        var waiting: (rows: [AppointmentRow], events: Int, through: StreamID?) = ([], 0, nil)
        try await inOrder(ahead: sizes.ranges) { () throws(EventStoreError) in
            let range = try await scan.range(after: after, events: sizes.rangeEvents)
            if let range { after = range.through }
            return range
        } work: { range throws(EventStoreError) in
            try await fold(range)
        } take: { (part: Part) throws(EventStoreError) in
            waiting.rows += part.rows
            (waiting.events, waiting.through) = (waiting.events + part.events, part.through)
            guard waiting.rows.count >= sizes.rows else { return }
            set = try await sets.fill(set, with: waiting.rows, through: part.through, events: waiting.events)
            waiting = ([], 0, nil)
            progress(RebuildProgress(.folding, events: set.events, of: head, at: part.last))
        }
        guard let through = waiting.through else { return set }
        return try await sets.fill(set, with: waiting.rows, through: through, events: waiting.events)
    }

    private func fold(_ range: StreamRange) async throws(EventStoreError) -> Part {
        let events = try await scan.events(in: range)
        let rows = try await RangeFold(people, by: projection).rows(of: events)
        return Part(through: range.through, events: events.count, last: events.last?.named, rows: rows)
    }
}

/// How far a rebuild has come.
package struct RebuildProgress: Equatable, Sendable {
    package let phase: Phase
    package let events: Int
    package let total: Int
    /// The last event that was written, for people.
    package let event: String?

    /// What a rebuild does, one after the other.
    package enum Phase: String, Sendable {
        case folding
        case indexing
        case catchingUp = "catching up"
    }

    package init(_ phase: Phase, events: Int, of total: Int, at event: String? = nil) {
        (self.phase, self.events, self.total, self.event) = (phase, events, total, event)
    }
}
