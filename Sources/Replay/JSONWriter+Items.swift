package import Appointments
package import EventStore
package import Projections

extension JSONWriter {
    /// Writes an appointment as API and command line show it.
    package mutating func appointment(_ row: AppointmentRow, showing person: PersonDisplay) {
        object {
            $0.member("appointmentId", row.appointment.description)
            $0.member("insuredId", person.text(of: row.insured))
            $0.member("countryISO", row.country.code)
            $0.member("status", row.status.rawValue)
            $0.member("createdAt", row.createdAt)
            $0.member("updatedAt", row.updatedAt)
            $0.member("processedAt", row.processedAt)
            $0.key("schedule")
            $0.schedule(row)
            $0.key("failure")
            $0.failure(row.failure)
            $0.member("version", row.version)
        }
    }

    private mutating func schedule(_ row: AppointmentRow) {
        object {
            $0.member("scheduleId", row.schedule.number)
            $0.member("centerId", row.slot?.center)
            $0.member("specialtyId", row.slot?.specialty)
            $0.member("medicId", row.slot?.medic)
            $0.member("date", row.slot?.date)
        }
    }

    private mutating func failure(_ failure: AppointmentRow.Failure?) {
        guard let failure else { return null() }
        object {
            $0.member("reason", failure.reason.rawValue)
            $0.member("message", failure.message)
        }
    }

    /// Writes an event of a history.
    package mutating func historyItem(_ item: HistoryItem) {
        object { $0.members(of: item, includesEntry: true) }
    }

    /// Writes an event of an audit page.
    package mutating func auditItem(_ item: AuditItem, showing person: PersonDisplay, includesEntry: Bool) {
        object {
            $0.member("appointmentId", item.event.appointment.description)
            $0.member("countryISO", item.event.country)
            $0.member("insuredId", person.text(of: item.insured))
            $0.members(of: item.event, includesEntry: includesEntry)
        }
    }

    private mutating func members(of item: HistoryItem, includesEntry: Bool) {
        member("version", item.version)
        member("position", item.position)
        member("type", item.type)
        member("at", item.at)
        member("actor", item.actor)
        member("correlation", item.correlation)
        member("causation", item.causation?.description)
        key("data")
        raw(item.data)
        if includesEntry {
            key("entry")
            base64(item.entry)
        }
        member("leaf", item.leaf)
        member("previous", item.previous)
    }

    /// Writes what `verify` found at one place.
    package mutating func finding(_ finding: Finding) {
        object {
            $0.member("kind", finding.kind.rawValue)
            $0.member("appointmentId", finding.stream?.appointment.description)
            $0.member("version", finding.version)
            $0.member("position", finding.position)
            $0.member("message", finding.message)
        }
    }

    /// Writes what `verify` covered and found.
    package mutating func verification(_ report: VerifyReport) {
        object { writer in
            writer.member("events", report.events)
            writer.member("streams", report.streams)
            writer.member("rows", report.rows)
            writer.member("head", report.head)
            writer.key("verified")
            writer.boolean(report.isClean)
            writer.member("findingCount", report.findingCount)
            writer.key("findings")
            writer.array { for finding in report.findings { $0.finding(finding) } }
        }
    }
}
