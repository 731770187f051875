package import EventStore
package import Projections
import TransparencyLog

/// Makes a mirror the copy of its store again: each entry at its position, each row the fold of its events. The store
/// is never touched.
package struct MirrorRepair: Sendable {
    private let feed: any EventFeed
    let scan: any StreamScan
    let mirror: AnyMirror
    let people: PersonResolver
    let batch: Int

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
        package internal(set) var rows = 0
        /// Rows that were left as they are: their appointments moved on, or the mirror holds more of them than the
        /// ledger.
        package internal(set) var unsettled = 0
        /// The position that the mirror's head goes back to, after which it holds nothing; nil when it stands well.
        package fileprivate(set) var head: Int?
        /// Whether the tree over the entries is made anew, since it is not what they make.
        package fileprivate(set) var remakesTree = false

        package var isEmpty: Bool { entries.isEmpty && rows == 0 && head == nil && !remakesTree }

        package init() {}
    }

    /// How often something is looked at that a worker moves meanwhile.
    private static let rounds = 1000

    /// Goes through the whole mirror and mends what differs, batch by batch. A worker may go on meanwhile: nothing that
    /// it takes in is taken away, and what moved under the repair is looked at again.
    ///
    /// - Parameters:
    ///   - isDry: whether it only says what it would do.
    ///   - fillsOnly: whether it leaves alone what stands at a position, right or wrong.
    ///   - report: is told each step about an entry, once it is done, or would be.
    ///   - progress: is told the position that it has come to, and the last one.
    /// - Throws: `unavailable`: what was mended stays mended. `invalid` when the login may not replace entries.
    package func run(
        isDry: Bool, fillsOnly: Bool = false, report: (Step) throws -> Void, progress: (Int, Int) -> Void = { _, _ in }
    ) async throws -> Outcome {
        var work = Work(isDry: isDry, fillsOnly: fillsOnly)
        for round in 1... {
            let state = try await mirror.state()
            let head = min(try await feed.head(), state.checkpoint)
            while work.position < head {
                guard try await mendWindow(upTo: head, &work, report) else { break }
                progress(work.position, head)
            }
            if fillsOnly { break }
            // What a worker has taken in meanwhile is the next round's.
            if try await cut(behind: head, expecting: state, &work, report) || round == Self.rounds { break }
        }
        try await mendRows(isDry: isDry, &work.outcome)
        if !fillsOnly { try await mendTree(isDry: isDry, &work.outcome) }
        return work.outcome
    }

    /// Makes the tree anew if it is not what the entries make, and has it take in what stands in new places. One that
    /// meets a hole stays, and is named by `verify`.
    private func mendTree(isDry: Bool, _ outcome: inout Outcome) async throws(EventStoreError) {
        let mirror = mirror
        let found = try await Verify(
            feed: mirror, scan: mirror, store: mirror, views: mirror, tree: mirror, people: nil, parts: [.log],
            batch: batch
        ).run()
        outcome.remakesTree = found.findings.contains { $0.kind.isOfTree }
        if isDry { return }
        if outcome.remakesTree { try await mirror.forgetTree() }
        while try await unlessDamaged({ () throws(EventStoreError) in try await mirror.growTree(limit: 10_000) })
            == false
        {}
    }

    /// How far a repair has come.
    private struct Work {
        let isDry: Bool
        let fillsOnly: Bool
        /// Up to here each position is mended.
        var position = 0
        /// What stood after that and has been put to its position, or would be.
        var moved: [Int: MirroredPlace] = [:]
        var outcome = Outcome()
    }

    /// What is to be done at some positions.
    private struct Plan {
        var steps: [Step] = []
        /// What stands in the way of the entries: at their positions, and where they stand by mistake.
        var removed: [MirroredPlace] = []
        /// Of these, what stands after the positions.
        var moved: [Int: MirroredPlace] = [:]
    }
}

// MARK: - Entries

extension MirrorRepair {
    /// Mends the next positions.
    ///
    /// - Returns: false when the feed has none, up to `head`.
    private func mendWindow(
        upTo head: Int, _ work: inout Work, _ report: (Step) throws -> Void
    ) async throws -> Bool {
        let start = work.position
        let events = try await feed.events(after: start, limit: min(batch, head - start))
        guard let last = events.last?.position else { return false }
        for _ in 0..<Self.rounds {
            let plan = try await plan(for: events, after: start, through: last, work)
            if !plan.steps.isEmpty, !work.isDry {
                let wanted = Set(plan.steps.filter { $0.action != .remove }.map(\.position))
                let entries = events.filter { $0.position.map(wanted.contains) ?? false }
                guard try await mirror.mend(entries, removing: plan.removed) else { continue }
            }
            try note(plan.steps, &work, report)
            work.moved.merge(plan.moved) { $1 }
            work.moved = work.moved.filter { $0.key > last }
            work.position = last
            return true
        }
        throw EventStoreError(
            .unavailable, message: "the mirror moves at position \(start + 1) while it is mended: run it again")
    }

    private func note(_ steps: [Step], _ work: inout Work, _ report: (Step) throws -> Void) rethrows {
        for step in steps {
            work.outcome.entries[step.action, default: 0] += 1
            try report(step)
        }
    }

    /// What the positions of some events need.
    private func plan(
        for events: [RecordedEvent], after start: Int, through end: Int, _ work: Work
    ) async throws(EventStoreError) -> Plan {
        var held: [Int: MirroredPlace] = [:]
        for place in try await mirror.places(after: start, limit: end - start) where place.position <= end {
            // In a dry run what was put to its position still stands here.
            if work.moved[place.position] != place { held[place.position] = place }
        }
        let whole = try await sealedFields(after: start, through: end)
        var plan = Plan()
        var wanted: [RecordedEvent] = []
        for event in events {
            guard let position = event.position else { continue }
            let found = held.removeValue(forKey: position)
            let isRight =
                found?.place == event.place && found?.leaf == event.leaf && whole[position] == event.sealed
            if isRight || work.fillsOnly && found != nil { continue }
            plan.steps.append(Step(action: found == nil ? .fill : .replace, position: position, place: event.place))
            if let found { plan.removed.append(found) }
            wanted.append(event)
        }
        if !work.fillsOnly {
            plan.steps += held.values.map { Step(action: .remove, position: $0.position, place: $0.place) }
            plan.removed += held.values
        }
        try await clearWay(for: wanted, behind: end, &plan, work)
        plan.steps.sort { $0.position < $1.position }
        return plan
    }

    /// Takes in that some entries already stand after the positions that they are to have.
    private func clearWay(
        for events: [RecordedEvent], behind end: Int, _ plan: inout Plan, _ work: Work
    ) async throws(EventStoreError) {
        let entries = try await mirror.entries(at: events.map(\.place))
        let removed = Set(plan.removed.map(\.position))
        for (place, entry) in entries where !removed.contains(entry.position) {
            if work.fillsOnly {
                plan.steps.removeAll { $0.place == place }
                continue
            }
            let found = MirroredPlace(position: entry.position, place: place, leaf: entry.leaf)
            if work.moved[entry.position] == found { continue }
            plan.removed.append(found)
            if entry.position > end { plan.moved[entry.position] = found }
        }
    }

    /// The sealed fields at the positions whose entries hash to their leaves, and whose columns say what the entry
    /// says.
    private func sealedFields(
        after start: Int, through end: Int
    ) async throws(EventStoreError) -> [Int: [String: [UInt8]]] {
        var found: [Int: [String: [UInt8]]] = [:]
        /// Whether all of them could be read.
        func read(after start: Int, limit: Int) async throws(EventStoreError) -> Bool {
            let events = try await unlessDamaged { () throws(EventStoreError) in
                try await mirror.events(after: start, limit: limit)
            }
            for event in events ?? [] { if let position = event.position { found[position] = event.sealed } }
            return events != nil
        }
        if try await read(after: start, limit: end - start) { return found }
        for position in start..<end { _ = try await read(after: position, limit: 1) }
        return found
    }

    /// Takes away what stands after all that the mirror has read of its feed, and has its head go back.
    ///
    /// - Returns: false when there may be more: a worker moved the mirror, or not all was read.
    private func cut(
        behind head: Int, expecting state: MirrorState, _ work: inout Work, _ report: (Step) throws -> Void
    ) async throws -> Bool {
        var after = head
        while true {
            let seen = try await mirror.places(after: after, limit: batch)
            let rest = seen.filter { work.moved[$0.position] != $0 }
            // A mirror that has read more than the feed has: nobody knows that what stands there is wrong.
            let removed = state.checkpoint == head ? rest : []
            if removed.count < rest.count || seen.isEmpty && (state.position <= head || after > head) { return true }
            if work.isDry {
                guard try await mirror.state() == state else { return false }
            } else {
                guard try await mirror.cut(removed, expecting: state) else { return false }
            }
            try note(
                removed.map { Step(action: .remove, position: $0.position, place: $0.place) }, &work, report)
            if state.position > head { work.outcome.head = head }
            guard work.isDry else { return false }
            after = seen.last?.position ?? state.position
        }
    }
}
