package import Appointments
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

    private let views: any AppointmentView
    private let log: any SweepLog
    private let performer: Performer
    private let countries: [Country: any CountryDatabase]
    private let patienceMilliseconds: Int64
    private let logger: Logger

    /// - Parameter countries: the databases that may be away while the ledger is there. What waits for one is not sent
    ///   round: its message waits as well, and is handled when the database is back.
    package init(
        views: any AppointmentView, log: any SweepLog, performer: Performer,
        asking countries: [Country: any CountryDatabase], patienceMilliseconds: Int64, logger: Logger
    ) {
        (self.views, self.log, self.performer, self.countries) = (views, log, performer, countries)
        (self.patienceMilliseconds, self.logger) = (patienceMilliseconds, logger)
    }

    /// Looks at everything that is not ended once.
    ///
    /// - Returns: how many appointments were sent round.
    /// - Throws: `unavailable`.
    package func sweep() async throws(EventStoreError) -> Int {
        var count = 0
        var away: [Country: Bool] = [:]
        for status in [AppointmentStatus.pending, .processed] {
            var place: RowPlace?
            while true {
                let quiet = Quiet(forMilliseconds: patienceMilliseconds, at: performer.now())
                let rows = try await views.idle(status, quiet: quiet, after: place, limit: 100)
                for row in rows {
                    if status == .pending {
                        if away[row.country] == nil { away[row.country] = await isAway(row.country) }
                        if away[row.country] == true { continue }
                    }
                    if try await sendRound(row) { count += 1 }
                }
                guard let last = rows.last, rows.count == 100 else { break }
                place = last.place
            }
        }
        return count
    }

    private func isAway(_ country: Country) async -> Bool {
        guard let database = countries[country] else { return false }
        do throws(EventStoreError) {
            _ = try await database.schedules(after: nil, limit: 1)
            return false
        } catch {
            guard error.code == .unavailable else { return false }
            logger.notice(
                "a country's database does not answer: its appointments wait, and are not sent round",
                metadata: ["countryISO": "\(country.code)"])
            return true
        }
    }

    private func sendRound(_ row: AppointmentRow) async throws(EventStoreError) -> Bool {
        let now = performer.now()
        let begins = try await log.beginRound(
            of: row.appointment, version: row.version, now: now,
            quiet: Quiet(forMilliseconds: patienceMilliseconds, at: now), maximum: Self.rounds)
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
