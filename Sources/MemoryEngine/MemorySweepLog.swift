package import Appointments
package import EventStore
import Handlers
import Projections
import Synchronization

/// The reference for the sweeper's log: all rounds in memory.
package final class MemorySweepLog: SweepLog {
    private let views: MemoryAppointmentView
    private let rounds = Mutex<[AppointmentID: SweepRounds]>([:])

    /// - Parameter views: tells at which version an appointment stands.
    package init(views: MemoryAppointmentView) { self.views = views }

    package func beginRound(
        of appointment: AppointmentID, version: Int, now: Timestamp, quiet: Quiet, maximum: Int
    ) async throws(EventStoreError) -> Bool {
        beginRoundNow(of: appointment, version: version, now: now, quiet: quiet, maximum: maximum)
    }

    package func stuck(rounds: Int, quiet: Quiet) async throws(EventStoreError) -> [AppointmentID] {
        stuckNow(rounds: rounds, quiet: quiet)
    }

    /// Counts a round immediately; the rules are those of `beginRound`.
    package func beginRoundNow(
        of appointment: AppointmentID, version: Int, now: Timestamp, quiet: Quiet, maximum: Int
    ) -> Bool {
        rounds.withLock { rounds in
            let next = SweepRounds.next(
                after: rounds[appointment], version: version, now: now, quiet: quiet, maximum: maximum)
            guard let next else { return false }
            rounds[appointment] = next
            return true
        }
    }

    /// Lists immediately, by id; the rules are those of `stuck`.
    package func stuckNow(rounds count: Int, quiet: Quiet) -> [AppointmentID] {
        rounds.withLock { rounds in
            rounds.filter { appointment, rounds in
                rounds.count >= count && quiet.contains(rounds.last)
                    && views.rowNow(appointment)?.version == rounds.version
            }.keys.sorted()
        }
    }
}
