package import Appointments
package import EventStore
package import Projections

/// Mends what is derived, from the events: rows that are not the fold of their events, and a view that has stayed
/// behind. It says first what it will do, and never touches an event.
package struct Repair: Sendable {
    private let feed: any EventFeed
    private let store: any StreamReader
    private let checkpoints: any ProjectionStore
    private let sets: any ViewSets
    private let people: PersonResolver

    package init(
        feed: any EventFeed, store: any StreamReader, checkpoints: any ProjectionStore, sets: any ViewSets,
        people: PersonResolver
    ) {
        (self.feed, self.store, self.checkpoints, self.sets) = (feed, store, checkpoints, sets)
        self.people = people
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
        /// Nothing: it concerns the events themselves.
        case none
    }

    /// What a repair would do.
    package struct Plan: Equatable, Sendable {
        package fileprivate(set) var steps: [Step] = []
        /// How many events the view has not taken in.
        package fileprivate(set) var behind = 0

        package func count(_ action: Action) -> Int { steps.count { $0.action == action } }

        /// Whether there is anything that can be mended.
        package var isEmpty: Bool { behind == 0 && count(.refold) + count(.remove) == 0 }
    }

    /// Works out what to do about what `verify` has found.
    ///
    /// - Throws: `unavailable`.
    package func plan(for report: VerifyReport) async throws(EventStoreError) -> Plan {
        var plan = Plan()
        plan.behind = max(try await feed.head() - checkpoints.checkpoint(of: ProjectionRunner.projection), 0)
        var seen: Set<StreamID> = []
        for finding in report.findings {
            let action: Action =
                switch finding.kind {
                case .rowMissing, .rowBehind, .rowDiffers, .rowUnreadable: finding.stream == nil ? .none : .refold
                case .rowWithoutEvents: .remove
                case .leafDiffers, .entryUnreadable, .positionGap, .versionGap, .previousDiffers, .sealedDiffers,
                    .foreignItem:
                    .none
                case .mirrorMissing, .mirrorExtra, .mirrorDiffers, .mirrorMisplaced, .mirrorDamaged,
                    .mirrorRowDiffers, .mirrorConflict:
                    .none
                }
            if action != .none, let stream = finding.stream, !seen.insert(stream).inserted { continue }
            plan.steps.append(Step(action: action, finding: finding))
        }
        return plan
    }

    /// Does what a plan says.
    ///
    /// - Returns: how many rows were mended, and the appointments whose events could not be folded, with the reason.
    /// - Throws: `unavailable`; what was mended stays mended.
    package func carryOut(
        _ plan: Plan, now: Timestamp
    ) async throws(EventStoreError) -> (mended: Int, failures: [(AppointmentID, String)]) {
        let runner = ProjectionRunner(feed: feed, store: store, views: checkpoints, people: people)
        while try await runner.step(now: now) > 0 {}
        var mended = 0
        var failures: [(AppointmentID, String)] = []
        for step in plan.steps where step.action != .none {
            guard let appointment = step.finding.stream?.appointment else { continue }
            do throws(EventStoreError) {
                try await refold(appointment)
                mended += 1
            } catch {
                if error.code == .unavailable { throw error }
                failures.append((appointment, error.message))
            }
        }
        return (mended, failures)
    }

    /// Folds one appointment again. Appointments without events lose their row.
    private func refold(_ appointment: AppointmentID) async throws(EventStoreError) {
        while true {
            let events = try await store.read(appointment.stream)
            let insured = try await people.insured(ofAll: events)[appointment.stream]
            var row: AppointmentRow?
            for event in events {
                row = try Projection.appointments.next(event, onto: row, insured: insured) ?? row
            }
            // An event that came meanwhile is in the next reading.
            if try await sets.mend(appointment, with: row, of: ProjectionRunner.projection) { return }
        }
    }
}
