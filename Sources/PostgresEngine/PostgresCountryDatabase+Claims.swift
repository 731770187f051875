package import Appointments
package import EventStore

/// The claims that stand.
extension PostgresCountryDatabase {
    package func claims(
        after appointment: AppointmentID?, limit: Int
    ) async throws(EventStoreError) -> [StandingClaim] {
        let first = Identifier(high: 0, low: 0)
        return try await pool.use { [country] session in
            try session.query(
                Self.claimPage(of: country), [.uuid(appointment?.id ?? first), .int8(max(limit, 0))]
            ) { row in
                StandingClaim(
                    appointment: AppointmentID(try row.uuid(0)), schedule: try Self.schedule(row, 1),
                    subject: try row.uuid(2), date: try row.moment(3), claimed: try row.moment(4))
            }
        }
    }

    /// The query for a page of claims: the appointment before it, how many.
    package static func claimPage(of country: Country) -> String {
        """
        SELECT appointment, schedule, subject, date, claimed FROM \(claims(of: country))
        WHERE released IS NULL AND appointment > $1 ORDER BY appointment LIMIT $2
        """
    }

    package func putBack(_ claim: StandingClaim) async throws(EventStoreError) -> Bool {
        try await pool.contending { [self] session in
            try putBack(claim, in: session)
        }
    }

    private func putBack(_ claim: StandingClaim, in session: PostgresSession) throws -> Bool {
        try session.pipeline([Self.boundedWait, Self.lock(claim.appointment), Self.lock(person: claim.subject)])
        let slot = try session.row(
            """
            SELECT \(Self.columns) FROM clinical.schedules AS slot WHERE schedule = $1 AND country = $2
            FOR NO KEY UPDATE
            """, [.int8(Int(claim.schedule.number)), .text(country.code)], Self.slot)
        let holder = try session.row(
            "SELECT appointment FROM \(claims) WHERE schedule = $1 AND released IS NULL",
            [.int8(Int(claim.schedule.number))]
        ) { AppointmentID(try $0.uuid(0)) }
        let own = try session.row(
            "SELECT schedule FROM \(claims) WHERE appointment = $1 AND released IS NULL", [.uuid(claim.appointment.id)]
        ) { try Self.schedule($0, 0) }
        let others = try session.query(
            """
            SELECT \(Self.columns) FROM \(claims) AS claim JOIN clinical.schedules AS slot
                ON slot.schedule = claim.schedule WHERE claim.subject = $1 AND claim.released IS NULL
            """, [.uuid(claim.subject)], Self.slot)
        let fits = claim.fits(slot, heldBy: holder, own: own, others: others)
        guard fits, own == nil else { return fits }
        // What a role may do to a claim: add one, or change when it was given back.
        let isOld = try session.execute(
            "UPDATE \(claims) SET released = NULL WHERE appointment = $1 AND schedule = $2 AND date = $3",
            [.uuid(claim.appointment.id), .int8(Int(claim.schedule.number)), .moment(claim.date)])
        if isOld > 0 { return true }
        let added = try session.execute(
            """
            INSERT INTO \(claims) (appointment, schedule, subject, date, ends, claimed)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (appointment) DO NOTHING
            """,
            [
                .uuid(claim.appointment.id), .int8(Int(claim.schedule.number)), .uuid(claim.subject),
                .moment(claim.date),
                .moment(claim.date.adding(milliseconds: Int64(Country.slotMinutes) * 60_000)), .moment(claim.claimed),
            ])
        return added > 0
    }
}
