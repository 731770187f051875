import Appointments
package import EventStore
package import Logging
package import Projections

/// Sends round again what has stood in one status for too long: a message that was lost, or given up as a dead letter.
///
/// Each appointment gets three rounds at the version it stands at; after that it is shown as stuck.
package struct Sweeper: Sendable {
    /// How often an appointment is sent round again before it is shown as stuck.
    package static let rounds = 3
    /// How long an appointment may stand in one status, in milliseconds: longer than a message stays hidden.
    package static let patienceMilliseconds: Int64 = 300_000

    private let views: any AppointmentViews
    private let log: any SweepLog
    private let performer: Performer
    private let patienceMilliseconds: Int64
    private let logger: Logger

    package init(
        views: any AppointmentViews, log: any SweepLog, performer: Performer, patienceMilliseconds: Int64,
        logger: Logger
    ) {
        (self.views, self.log, self.performer) = (views, log, performer)
        (self.patienceMilliseconds, self.logger) = (patienceMilliseconds, logger)
    }

    /// Looks at everything that is not ended once.
    ///
    /// - Returns: how many appointments were sent round.
    /// - Throws: `unavailable`.
    package func sweep() async throws(EventStoreError) -> Int {
        var count = 0
        for status in [AppointmentStatus.pending, .processed] {
            var place: RowPlace?
            while true {
                let since = performer.now().adding(milliseconds: -patienceMilliseconds)
                let rows = try await views.idle(status, since: since, after: place, limit: 100)
                for row in rows where try await sendRound(row) { count += 1 }
                guard let last = rows.last, rows.count == 100 else { break }
                place = last.place
            }
        }
        return count
    }

    private func sendRound(_ row: AppointmentRow) async throws(EventStoreError) -> Bool {
        let now = performer.now()
        let begins = try await log.beginRound(
            of: row.appointment, version: row.version, now: now,
            quietSince: now.adding(milliseconds: -patienceMilliseconds), maximum: Self.rounds)
        guard begins else { return false }
        logger.notice(
            "an appointment stood still and is sent round again",
            metadata: ["appointmentId": "\(row.appointment)", "status": "\(row.status.rawValue)"])
        switch try await performer.run(Router(row.appointment, purpose: .resend)) {
        case .done, .accepted: return true
        case .refused(let rejection):
            logger.error("it could not be sent", metadata: ["reason": "\(rejection)"])
        case .failed(let reason):
            logger.error("it could not be sent", metadata: ["reason": "\(reason)"])
        }
        return false
    }

    /// Sweeps until it is told to stop.
    package func run(until stop: Stop) async {
        while !stop.isRequested {
            do throws(EventStoreError) {
                _ = try await sweep()
            } catch {
                logger.warning("the sweeper waits for a store", metadata: ["error": "\(error)"])
            }
            await stop.sleep(milliseconds: min(patienceMilliseconds / 2, 30_000))
        }
    }
}
