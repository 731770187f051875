import Appointments
import EventStore
import Projections
import Replay

/// The lists of appointments, and one appointment as it is or was.
extension API {
    /// `GET /appointments/{insuredId}`: one person's appointments, newest first.
    func personAppointments(_ request: APIRequest, _ path: RoutePath) async throws -> APIResponse {
        var (insured, issues) = path.person
        var query = RequestQuery(request.query)
        var filter = RowFilter(insured: insured, status: query.status(), country: query.country())
        filter.from = query.moment("startDate", "Start date")
        filter.to = query.moment("endDate", "End date")
        if let from = filter.from, let to = filter.to, from > to {
            query.add("endDate", "End date cannot be before the start date")
        }
        let limit = query.integer("limit", in: 1...100, "Limit", else: 20)
        let offset = query.integer("offset", in: 0...Self.maximumOffset, "Offset", else: 0)
        let time = query.moment("asOf", "asOf")
        issues += request.correlationIssues
        try query.finish(adding: issues)
        if let time { return try await pastList(filter, insured, limit: limit, offset: offset, at: time) }
        let rows = try await views.rows(filter, after: nil, offset: offset, limit: limit)
        // A page that is not full ends the list, so it proves the total without counting.
        let isLast = rows.count < limit && (!rows.isEmpty || offset == 0)
        let total = isLast ? offset + rows.count : try await views.count(filter)
        let isFiltered = filter != RowFilter(insured: insured)
        let available = isFiltered ? try await views.count(RowFilter(insured: insured)) : total
        let page = PersonPage(
            rows: rows, filter: filter, limit: limit, offset: offset, total: total, available: available,
            isFiltered: isFiltered)
        return .json(capacity: 512 + rows.count * 512, page.write)
    }

    /// One person's list as it was.
    private func pastList(
        _ filter: RowFilter, _ insured: InsuredID?, limit: Int, offset: Int, at time: Timestamp
    ) async throws -> APIResponse {
        let lists = PastViews(views: views, store: store, events: past, at: .time(time))
        let all = try await lists.page(RowFilter(insured: insured), after: nil, limit: PastViews.maximumRows)
        guard all.next == nil else {
            throw Problem.invalid("asOf", .invalidQueryParameter, "The person has too many appointments for this")
        }
        let rows = all.rows.filter(filter.matches)
        let page = PersonPage(
            rows: Array(rows.dropFirst(offset).prefix(limit)), filter: filter, limit: limit, offset: offset,
            total: rows.count, available: all.rows.count, isFiltered: filter != RowFilter(insured: insured))
        return .json(capacity: 512 + page.rows.count * 512, page.write)
    }

    /// Offsets beyond this are refused: no list is that long, and the arithmetic stays inside 64 bits.
    private static let maximumOffset = 9_007_199_254_740_991

    /// `GET /appointments?status=&countryISO=`: the status view and the country view, newest first.
    func listAppointments(_ request: APIRequest, _ caller: Caller) async throws -> APIResponse {
        var query = RequestQuery(request.query)
        let filter = RowFilter(status: query.status(), country: query.country())
        let limit = query.integer("limit", in: 1...100, "Limit", else: 20)
        let time = query.moment("asOf", "asOf")
        let list = [filter.status?.rawValue, filter.country?.code, time.map { "\($0.milliseconds)" }]
            .compactMap(\.self).joined(separator: "|")
        let place = query.value("cursor", "Cursor is not one that this list gave out") {
            cursors.place($0, in: list)
        }
        if filter == RowFilter(), query.issues.isEmpty {
            query.add("status", "Status or countryISO is required")
        }
        try query.finish(adding: request.correlationIssues)
        let lists = PastViews(
            views: views, store: store, events: past, at: time.map(Moment.time) ?? .latest)
        let found = try await lists.page(filter, after: place, limit: limit)
        let (page, next) = (found.rows, found.next.map { cursors.text(of: $0, in: list) })
        return .json(capacity: 256 + page.count * 512) { writer in
            writer.key("appointments")
            writer.array { writer in
                for row in page { writer.appointment(row, showing: caller.display) }
            }
            writer.key("pagination")
            writer.object {
                $0.member("count", page.count)
                $0.member("limit", limit)
                $0.key("hasMore")
                $0.boolean(next != nil)
                $0.member("nextCursor", next)
            }
        }
    }

    /// `GET /appointments/{insuredId}/{appointmentId}`: one appointment as it is, or as it was.
    func appointment(_ request: APIRequest, _ path: RoutePath) async throws -> APIResponse {
        let (insured, id, issues) = path.personAndAppointment
        var query = RequestQuery(request.query)
        let time = query.moment("asOf", "asOf")
        let version = query.integer("version", in: 1...Self.maximumOffset, "Version", else: 0)
        if time != nil, version != 0 { query.add("version", "Give asOf or version, not both") }
        try query.finish(adding: issues + request.correlationIssues)
        guard let id, let row = try await views.row(id), row.insured == insured else {
            throw Problem.appointmentNotFound
        }
        guard time != nil || version != 0 else { return Self.answer(row) }
        let history = try await History.read(id, from: store, insured: insured)
        let moment = time.map(Moment.time) ?? .version(version)
        guard let past = try history?.state(at: moment) else {
            throw Problem(
                .appointmentNotFound,
                time == nil ? "The appointment has not reached this version" : "It was not requested yet at this time")
        }
        return Self.answer(past)
    }

    private static func answer(_ row: AppointmentRow) -> APIResponse {
        var writer = JSONWriter(reservingCapacity: 512)
        writer.appointment(row, showing: .whole)
        return APIResponse(headers: [("Content-Type", "application/json")], body: writer.bytes)
    }
}

extension Problem {
    static var appointmentNotFound: Problem {
        Problem(.appointmentNotFound, "The person has no appointment with this id")
    }
}

extension Caller {
    var display: PersonDisplay { seesPersons ? .whole : .masked }
}

extension RoutePath {
    /// The person of the path, or what is wrong with it.
    var person: (InsuredID?, [Problem.Issue]) {
        if insured.isEmpty { return (nil, [.path("insuredId", .missingPathParameter, "Insured ID is required")]) }
        guard let text = PercentEncoding.decode(insured.utf8), let insured = InsuredID(text) else {
            return (nil, [.path("insuredId", .validationFailed, "Insured ID must be exactly 5 digits")])
        }
        return (insured, [])
    }

    /// The person of the path, nil for one who is named as persons are shown to an auditor: `***23`.
    var shownPerson: (InsuredID?, [Problem.Issue]) {
        let text = PercentEncoding.decode(insured.utf8) ?? ""
        let digits = text.utf8.dropFirst(3)
        let isMask =
            text.hasPrefix("***") && (digits.isEmpty || digits.count == 2)
            && digits.allSatisfy { $0.isDigit }
        return isMask ? (nil, []) : person
    }

    /// The person and the appointment of the path, and what is wrong with either.
    var personAndAppointment: (InsuredID?, AppointmentID?, [Problem.Issue]) {
        let (insured, issues) = person
        let (id, others) = appointmentID
        return (insured, id, issues + others)
    }

    /// The appointment of the path, or what is wrong with it.
    var appointmentID: (AppointmentID?, [Problem.Issue]) {
        if appointment.isEmpty {
            return (nil, [.path("appointmentId", .missingPathParameter, "Appointment ID is required")])
        }
        guard let text = PercentEncoding.decode(appointment.utf8), let id = AppointmentID(text) else {
            return (nil, [.path("appointmentId", .validationFailed, "Appointment ID must be a UUID")])
        }
        return (id, [])
    }
}

extension Problem.Issue {
    fileprivate static func path(_ field: String, _ code: Problem.FieldCode, _ message: String) -> Problem.Issue {
        Problem.Issue(field: field, code: code, message: message)
    }
}

extension APIRequest {
    /// What is wrong with the correlation that the caller sent.
    var correlationIssues: [Problem.Issue] {
        var issues: [Problem.Issue] = []
        _ = try? issues.collect { () throws(Problem) in try correlation() }
        return issues
    }
}
