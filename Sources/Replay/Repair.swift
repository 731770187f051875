package import Appointments
package import EventStore
package import Projections

/// Mends what is derived, from the events: rows that are not the fold of their events, and a view that
/// lags. It says first what it will do, and never touches an event.
package struct Repair: Sendable {
    private let feed: (any EventFeed)?
    private let store: any StreamReader
    private let checkpoints: any ConsumerStore
    private let control: any ConsumerControl
    private let sets: any ViewCopies
    private let people: PersonResolver

    package init(
        feed: (any EventFeed)?, store: any StreamReader, checkpoints: any ConsumerStore,
        control: any ConsumerControl, sets: any ViewCopies, people: PersonResolver
    ) {
        (self.feed, self.store, self.checkpoints, self.control) = (feed, store, checkpoints, control)
        (self.sets, self.people) = (sets, people)
    }

    /// What is to be done about one finding.
    package struct Step: Equatable, Sendable {
        package let action: Action
        package let finding: Finding
    }

    /// What can be done.
    package enum Action: String, Sendable {
        /// The appointment's row is folded again from its events.
        case refold
        /// The row is taken away, since no event explains it.
        case remove
        /// The checkpoint is set back to the last event that there was.
        case setBack = "set-back"
        /// Nothing: it concerns the events themselves.
        case none
    }

    /// What a repair would do.
    package struct Plan: Equatable, Sendable {
        package fileprivate(set) var steps: [Step] = []
        /// How many events the view has not taken in.
        package fileprivate(set) var behind = 0
        /// The position of the last event when it was verified.
        fileprivate var head = 0

        package func count(_ action: Action) -> Int { steps.count { $0.action == action } }

        /// Whether there is anything that can be mended.
        package var isEmpty: Bool { behind == 0 && steps.allSatisfy { $0.action == .none } }
    }

    /// Works out what to do about what `verify` has found.
    ///
    /// - Throws: `unavailable`.
    package func plan(for report: VerifyReport) async throws(EventStoreError) -> Plan {
        var plan = Plan()
        plan.head = report.head
        let head = try await feed?.head() ?? 0
        // One that is ahead is set back by a step of its own, and takes in nothing before that.
        plan.behind = head - min(try await checkpoints.checkpoint(of: ProjectionRunner.projection), head)
        var seen: Set<StreamID> = []
        for finding in report.findings {
            let action: Action =
                switch finding.kind {
                case .rowUnreadable where finding.key != nil: .remove
                case .rowMissing, .rowBehind, .rowDiffers, .rowUnreadable: finding.stream == nil ? .none : .refold
                case .checkpointAhead: .setBack
                case .rowWithoutEvents: .remove
                case .leafDiffers, .entryUnreadable, .positionGap, .versionGap, .previousDiffers, .sealedDiffers,
                    .foreignItem, .outsideLog, .recordDiffers, .recordMissing, .keyRecordBroken, .keyDiffers,
                    .countDiffers, .treeDiffers, .treeMissing, .treeOutside, .treeUnknown,
                    .logCutOff, .logForked, .checkpointUnreadable:
                    .none
                case .mirrorMissing, .mirrorExtra, .mirrorDiffers, .mirrorMisplaced, .mirrorDamaged,
                    .mirrorRowDiffers, .mirrorConflict, .mirrorCheckpointAhead:
                    .none
                case .claimUnexplained, .claimOfFailed, .claimDiffers, .claimMissing, .slotTwice, .personTwice,
                    .medicTwice:
                    .none
                }
            if action != .none, let stream = finding.stream, !seen.insert(stream).inserted { continue }
            plan.steps.append(Step(action: action, finding: finding))
        }
        return plan
    }

    /// Does what a plan says.
    ///
    /// - Returns: how many findings were mended, and the appointments whose events could not be folded, with the
    ///   reason.
    /// - Throws: `unavailable`; what was mended stays mended. `invalid`, before anything is done, while an operator
    ///   holds the view.
    package func carryOut(
        _ plan: Plan, now: Timestamp
    ) async throws(EventStoreError) -> (mended: Int, failures: [(AppointmentID, String)]) {
        let view = ProjectionRunner.projection
        if let since = try await control.pausedAt(view) { throw .held(view, since: since) }
        var mended = 0
        // First, so that what came since is taken in below.
        for step in plan.steps where step.action == .setBack {
            if try await setBack(step.finding, to: plan.head) { mended += 1 }
        }
        let runner = ProjectionRunner(feed: feed, store: store, views: checkpoints, people: people)
        // A change stream brings by itself what came since.
        if feed != nil { while try await runner.step(now: now) > 0 {} }
        var failures: [(AppointmentID, String)] = []
        for step in plan.steps where step.action == .refold || step.action == .remove {
            guard let appointment = step.finding.stream?.appointment else {
                if let key = step.finding.key, try await sets.removeStray(key) { mended += 1 }
                continue
            }
            do throws(EventStoreError) {
                try await refold(appointment)
                mended += 1
            } catch {
                try error.throwIfUnavailable()
                failures.append((appointment, error.message))
            }
        }
        return (mended, failures)
    }

    /// Sets a checkpoint back that is after all events; false when it has been moved meanwhile.
    private func setBack(_ finding: Finding, to head: Int) async throws(EventStoreError) -> Bool {
        guard let name = finding.key.flatMap({ ConsumerName($0) }), let position = finding.position else {
            return false
        }
        return try await checkpoints.commit(ProjectionCommit(checkpoint: head), of: name, expecting: position)
    }

    /// Folds one appointment again. Appointments without events lose their row.
    private func refold(_ appointment: AppointmentID) async throws(EventStoreError) {
        while true {
            let events = try await store.read(appointment.stream)
            let row = try await RangeFold(people).rows(of: events).first
            // An event that came meanwhile is in the next reading.
            if try await sets.mend(appointment, with: row, of: ProjectionRunner.projection) { return }
        }
    }
}

extension EventStoreError {
    /// What is thrown for work on rows that an operator holds.
    package static func held(_ projection: ConsumerName, since moment: Timestamp) -> EventStoreError {
        EventStoreError(
            .invalid,
            message: """
                \(projection) is held since \(moment), and nothing was changed: let it go on first, with `ledger \
                projections resume \(projection.name)`
                """)
    }
}
