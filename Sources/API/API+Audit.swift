import Appointments
import EventStore
import Projections
import Replay

/// What auditors read: the history of one appointment, and the events of all.
extension API {
    /// `GET /appointments/{insuredId}/{appointmentId}/events`.
    ///
    /// An auditor may not see who a person is, and may send the `***23` that is shown instead. The person in the path
    /// is not compared for an auditor, or the route would tell, one guess after the other, whose appointment it is.
    func history(_ request: APIRequest, _ path: RoutePath, _ caller: Caller) async throws -> APIResponse {
        let (insured, issues) = path.shownPerson
        let (id, others) = path.appointmentID
        var query = RequestQuery(request.query)
        try query.finish(adding: issues + others + request.correlationIssues)
        guard let id else { throw Problem.appointmentNotFound }
        let row = try await views.row(id)
        guard !caller.seesPersons || (insured != nil && row?.insured == insured),
            let history = try await History.read(id, from: histories, insured: row?.insured)
        else { throw Problem.appointmentNotFound }
        try await trail.record(AccessRecord(to: id, by: caller.actor, rows: history.events.count, at: now()))
        return .json(capacity: 256 + history.events.count * 2048) { writer in
            writer.member("appointmentId", id.description)
            writer.member("countryISO", history.events.first?.entry.country)
            writer.member("insuredId", caller.display.text(of: history.insured))
            writer.key("events")
            writer.array { writer in
                for item in history.items { writer.historyItem(item) }
            }
        }
    }

    /// `GET /audit/events`: a page, or the same as lines with `Accept: application/x-ndjson`.
    ///
    /// Only who may see persons may ask by one. An auditor who could would learn who a person is, one guess after the
    /// other: the refusal comes before anything is looked at, and says nothing of the number.
    func auditEvents(_ request: APIRequest, _ caller: Caller) async throws -> APIResponse {
        var parameters = RequestQuery(request.query)
        guard caller.seesPersons || !parameters.holds("insuredId") else {
            throw Problem(
                .forbidden,
                "The filter insuredId is for the role admin: the role auditor sees no persons, ask by appointmentId")
        }
        let query = Self.auditQuery(&parameters)
        let includesEntry =
            parameters.value("include", "Include must be entry") { $0 == "entry" ? true : nil } ?? false
        if let from = query.filter.from, let to = query.filter.to, from > to {
            parameters.add("to", "To cannot be before from")
        }
        try parameters.finish(adding: request.correlationIssues)
        let page = try await page(of: query)
        try await trail.record(AccessRecord(query, by: caller.actor, rows: page.items.count, at: now()))
        let capacity = 256 + page.items.count * (includesEntry ? 2048 : 768)
        if AcceptedTypes(try request.fields("Accept")).prefers("application/x-ndjson", to: "application/json") {
            return lines(page, caller, includesEntry, capacity)
        }
        return .json(capacity: capacity) { writer in
            writer.key("events")
            writer.array { writer in
                for item in page.items {
                    writer.auditItem(item, showing: caller.display, includesEntry: includesEntry)
                }
            }
            writer.key("pagination")
            writer.object {
                $0.member("count", page.items.count)
                $0.member("limit", query.limit)
                $0.key("hasMore")
                $0.boolean(page.next != nil)
                $0.member("nextAfter", page.next)
                if page.isBeyondEnd {
                    $0.key("beyondEnd")
                    $0.boolean(true)
                }
            }
        }
    }

    private func page(of query: AuditQuery) async throws -> AuditPage {
        do throws(EventStoreError) {
            return try await query.page(of: audit, views: views)
        } catch {
            guard error.cause is AuditQuery.TooManyAppointments else { throw error }
            throw Problem.invalid(
                "insuredId", .invalidQueryParameter, "Ask for one appointment: the person has too many")
        }
    }

    private func lines(
        _ page: AuditPage, _ caller: Caller, _ includesEntry: Bool, _ capacity: Int
    ) -> APIResponse {
        var body: [UInt8] = []
        body.reserveCapacity(capacity)
        for item in page.items {
            var writer = JSONWriter(reservingCapacity: 1024)
            writer.auditItem(item, showing: caller.display, includesEntry: includesEntry)
            body += writer.bytes
            body.append(UInt8(ascii: "\n"))
        }
        var response = APIResponse(headers: [("Content-Type", "application/x-ndjson")], body: body)
        if let next = page.next { response.headers.append(("X-Next-After", String(next))) }
        if page.isBeyondEnd { response.headers.append(("X-Beyond-End", "true")) }
        return response
    }

    private static func auditQuery(_ parameters: inout RequestQuery) -> AuditQuery {
        var query = AuditQuery()
        query.filter.type = parameters.value("type", "Type must be a kind of event") {
            EventType(rawValue: $0)?.rawValue
        }
        query.filter.country = parameters.country()?.code
        query.filter.actor = parameters.value("actor", "Actor must be 1 to 128 visible characters") {
            (1...128).contains($0.utf8.count) && $0.utf8.allSatisfy { (0x21...0x7E).contains($0) } ? $0 : nil
        }
        query.filter.correlation = parameters.value("correlationId", "Correlation ID must be 1 to 128 of A-Za-z0-9._-")
        {
            $0.isCorrelation ? $0 : nil
        }
        // What is asked for is recorded for ever.
        if query.filter.actor.map(PersonNumbers.isFound(in:)) ?? false {
            parameters.add("actor", "Actor must not hold a run of exactly 5 digits: it could be a person's number")
        }
        if query.filter.correlation.map(PersonNumbers.isFound(in:)) ?? false {
            parameters.add("correlationId", "Correlation ID \(String.holdsPersonNumber)")
        }
        query.filter.from = parameters.moment("from", "From")
        query.filter.to = parameters.moment("to", "To")
        query.appointment = parameters.value("appointmentId", "Appointment ID must be a UUID", AppointmentID.init(_:))
        query.insured = parameters.value("insuredId", "Insured ID must be exactly 5 digits", InsuredID.init(_:))
        query.after = parameters.integer("after", in: 0...9_007_199_254_740_991, "After", else: 0)
        query.limit = parameters.integer("limit", in: 1...AuditQuery.maximumLimit, "Limit", else: 100)
        return query
    }
}
