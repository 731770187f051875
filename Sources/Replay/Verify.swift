package import EventStore
package import Projections
package import TransparencyLog

/// Recomputes the whole ledger from its bytes and says what contradicts it. No stored hash is trusted.
///
/// It reads the feed in windows of positions, several concurrently, and takes them in in their order. Per stream
/// it holds the last version and its leaf. The rows are compared with the events range by range of streams, so that
/// memory holds a few ranges of them and no more. Events that are appended meanwhile are left to the next run.
package struct Verify: Sendable {
    let feed: any EventFeed
    let scan: any StreamScan
    let store: any StreamReader
    let views: any RowReader & RowScan
    private let checkpoints: (any ConsumerStore)?
    private let consumers: [ConsumerName]
    private let records: [any ChainedRecords]
    private let tree: (any StoredTree)?
    private let signed: (any SignedStates)?
    let people: PersonResolver?
    let parts: Set<Finding.Part>
    let batch: Int
    let progress: @Sendable (VerifyProgress) -> Void

    /// - Parameter people: opens the sealed fields, to compare who asked; without it only their hashes are checked.
    /// - Parameter checkpoints: those of `consumers` are looked at; none without it.
    /// - Parameter records: the chains of records that belong to the store.
    /// - Parameter tree: the tree over the events of the feed, as it is stored; without it there is no log to verify.
    /// - Parameter signed: what was signed of the tree.
    /// - Parameter parts: what is verified; all of it unless given.
    package init(
        feed: any EventFeed, scan: any StreamScan, store: any StreamReader, views: any RowReader & RowScan,
        checkpoints: (any ConsumerStore)? = nil, consumers: [ConsumerName] = [ProjectionRunner.projection],
        records: [any ChainedRecords] = [], tree: (any StoredTree)? = nil, signed: (any SignedStates)? = nil,
        people: PersonResolver?,
        parts: Set<Finding.Part> = Set(Finding.Part.allCases), batch: Int = 2000,
        progress: @escaping @Sendable (VerifyProgress) -> Void = { _ in }
    ) {
        (self.feed, self.scan, self.store, self.views) = (feed, scan, store, views)
        (self.checkpoints, self.consumers, self.records) = (checkpoints, consumers, records)
        (self.tree, self.signed) = (tree, signed)
        (self.people, self.parts, self.batch, self.progress) = (people, parts, max(batch, 1), progress)
    }

    struct State {
        var report: VerifyReport
        /// The last event of each stream.
        var streams: [StreamID: StreamHead] = [:]
        var position = 0
        /// Nil when the log is not verified.
        var log: LogCheck?
    }

    /// Whether every event is read in the order of positions.
    var readsChain: Bool { parts.contains(.chain) || parts.contains(.log) && tree != nil }

    /// Runs to the head that the log has now.
    ///
    /// - Throws: `unavailable`: the store stopped answering and nothing is known.
    package func run() async throws(EventStoreError) -> VerifyReport {
        var state = State(report: VerifyReport(parts))
        // Before the head: one that moves meanwhile must not look as if it were ahead of it.
        var reached: [(ConsumerName, Int)] = []
        if let checkpoints {
            for name in consumers { reached.append((name, try await checkpoints.checkpoint(of: name))) }
        }
        if parts.contains(.log), let tree { state.log = try await LogCheck(tree, signed: signed) }
        let head = try await feed.head()
        state.report.head = head
        for (name, position) in reached where position > head {
            state.report.add(
                Finding(
                    .checkpointAhead, position: position, key: name.description,
                    message: "the checkpoint of \(name) is at position \(position), and the last event at \(head)"))
        }
        if readsChain {
            try await readChain(&state)
            state.report.streams = state.streams.count
        }
        if parts.contains(.views) { try await compareRows(&state) }
        return state.report
    }

    /// Reads the feed from its first position to the head, and what stands next to it.
    private func readChain(_ state: inout State) async throws(EventStoreError) {
        let head = state.report.head
        var start = 0
        try await inOrder(ahead: Self.windows) { () throws(EventStoreError) in
            guard start < head else { return nil }
            defer { start += batch }
            return Window(after: start, through: min(start + batch, head))
        } work: { window throws(EventStoreError) in
            try await read(window)
        } take: { (window: Window) throws(EventStoreError) in
            if let links = window.links {
                for link in links { take(in: link, &state) }
            } else {
                try await takeSingly(window, &state)
            }
            try await state.log?.compareLeaves(&state.report)
            progress(
                VerifyProgress(position: window.through, head: head, findings: state.report.findingCount))
        }
        if state.position < head {
            state.report.add(
                Finding(
                    .positionGap, position: state.position + 1,
                    message: "positions \(state.position + 1) to \(head) are missing from the log"))
        }
        try await state.log?.finish(&state.report)
        if parts.contains(.chain) { try await readBeside(&state) }
    }

    /// Looks at what stands next to the events of the log.
    private func readBeside(_ state: inout State) async throws(EventStoreError) {
        let foreign = try await feed.foreignItems()
        if foreign > 0 {
            state.report.add(
                Finding(
                    .foreignItem,
                    message: "\(foreign == 1 ? "an item" : "\(foreign) items") in the table of events that "
                        + "\(foreign == 1 ? "is no event" : "are no events"): no appointment and version in the key"))
        }
        try await findOutside(&state)
        for miscount in try await feed.miscounts() { state.report.add(Finding(.countDiffers, message: miscount)) }
        for records in records {
            if let finding = try await records.finding(in: "the ledger") { state.report.add(finding) }
        }
    }

    /// Names events that stand where the windows do not come.
    private func findOutside(_ state: inout State) async throws(EventStoreError) {
        for position in try await feed.positionsOutside() {
            state.report.add(
                Finding(
                    .outsideLog, position: position,
                    message: "an event stands at position \(position), outside of the log, where no reader comes"))
        }
    }

    /// How many windows are read concurrently, or wait for their turn.
    static let windows = 8

    // MARK: Events

    /// The events of some positions.
    private struct Window: Sendable {
        let after: Int
        let through: Int
        /// Nil when the store does not give all of them out.
        var links: [EventLink]? = []
    }

    private func read(_ wanted: Window) async throws(EventStoreError) -> Window {
        var window = wanted
        do throws(EventStoreError) {
            var links: [EventLink] = []
            var after = window.after
            while after < window.through {
                let limit = window.through - after
                let page = try await feed.links(after: after, limit: limit)
                links += page.prefix { $0.position ?? 0 <= window.through }
                guard page.count == limit, let last = page.last?.position, last > after else { break }
                after = last
            }
            window.links = links
        } catch {
            try error.throwIfUnavailable()
            window.links = nil
        }
        return window
    }

    /// Goes through a window that the store refuses to give out event by event, to name the one that it can't give.
    private func takeSingly(_ window: Window, _ state: inout State) async throws(EventStoreError) {
        state.position = max(state.position, window.after)
        while state.position < window.through {
            do throws(EventStoreError) {
                guard let link = try await feed.links(after: state.position, limit: 1).first,
                    link.position ?? 0 <= window.through
                else { return }
                take(in: link, &state)
            } catch {
                try error.throwIfUnavailable()
                state.position += 1
                state.report.events += 1
                state.report.add(Finding(.entryUnreadable, position: state.position, message: error.message))
            }
        }
    }

    private func take(in event: EventLink, _ state: inout State) {
        state.report.events += 1
        let position = event.position ?? state.position + 1
        if position != state.position + 1 {
            state.report.add(
                Finding(
                    .positionGap, stream: event.stream, version: event.version, position: event.position,
                    message: "position \(position) follows position \(state.position)"))
        }
        // A position that stands twice is one finding; it must not move what follows it out of its place.
        state.position = max(position, state.position)
        state.log?.take(event)
        link(event, &state)
    }

    /// Checks an event by itself, and against the one before it in its stream.
    func link(_ event: EventLink, _ state: inout State) {
        let head = StreamHead(version: event.version, leaf: event.leaf)
        let held = state.streams.updateValue(head, forKey: event.stream)
        let version = held?.version ?? 0
        if event.damage.isEmpty, event.version == version + 1, event.previous == held?.leaf { return }
        func add(_ kind: Finding.Kind, _ message: String) {
            state.report.add(
                Finding(
                    kind, stream: event.stream, version: event.version, position: event.position, message: message))
        }
        for damage in event.damage {
            switch damage {
            case .leaf: add(.leafDiffers, "the entry does not hash to its stored leaf")
            case .bytes: add(.entryUnreadable, "the stored bytes are not the entry that the store gives out")
            case .sealed(let message): add(.sealedDiffers, message)
            }
        }
        if event.version != version + 1 {
            add(.versionGap, "version \(event.version) follows version \(version)")
        }
        if event.previous != held?.leaf {
            add(.previousDiffers, "the entry does not name the leaf of the version before")
        }
    }
}
