package import Appointments
package import EventStore

/// A row of the appointments view: the fold of one appointment's events, as people look at it.
package struct AppointmentRow: Equatable, Sendable {
    package let appointment: AppointmentID
    /// Who asked; nil once the person was erased.
    package let insured: InsuredID?
    package let country: Country
    package let schedule: ScheduleID
    package let createdAt: Timestamp
    package var status: AppointmentStatus
    package var updatedAt: Timestamp
    package var processedAt: Timestamp?
    package var slot: Slot?
    package var failure: Failure?
    /// The version of the last event in the row, and its leaf.
    package var version: Int
    package var leaf: Hash

    /// Why it failed.
    package struct Failure: Equatable, Sendable {
        package let reason: FailureReason
        package let message: String

        package init(reason: FailureReason, message: String) { (self.reason, self.message) = (reason, message) }
    }

    package init(
        appointment: AppointmentID, insured: InsuredID?, country: Country, schedule: ScheduleID, createdAt: Timestamp,
        status: AppointmentStatus, updatedAt: Timestamp, processedAt: Timestamp?, slot: Slot?, failure: Failure?,
        version: Int, leaf: Hash
    ) {
        (self.appointment, self.insured, self.country, self.schedule) = (appointment, insured, country, schedule)
        (self.createdAt, self.status, self.updatedAt) = (createdAt, status, updatedAt)
        (self.processedAt, self.slot, self.failure) = (processedAt, slot, failure)
        (self.version, self.leaf) = (version, leaf)
    }
}

/// The projection of the appointments view, and the name under which its rows and checkpoint are kept.
package enum AppointmentProjection {
    package static let name = "appointments"
    /// A new number is a new table set.
    package static let number = 1

    /// The row after an event. Pure: the same events give the same row, to the byte.
    ///
    /// - Parameter insured: who asked, for the first event; later events keep what the row has.
    /// - Throws: `corrupt` when the event can't be read or has no row to follow.
    package static func project(
        _ event: RecordedEvent, onto row: AppointmentRow?, insured: InsuredID?, upcasters: [Upcaster] = Upcaster.all
    ) throws(EventStoreError) -> AppointmentRow {
        let fact = try Codec.decode(event.entry, upcasters: upcasters)
        if case .requested(let requested) = fact {
            return AppointmentRow(
                appointment: event.stream.appointment, insured: insured, country: requested.country,
                schedule: requested.schedule, createdAt: event.entry.at, status: .pending, updatedAt: event.entry.at,
                processedAt: nil, slot: nil, failure: nil, version: event.version, leaf: event.leaf)
        }
        guard var row else {
            throw EventStoreError(
                .corrupt, message: "\(event.stream) does not begin with a request: run `ledger verify`")
        }
        row.updatedAt = event.entry.at
        row.version = event.version
        row.leaf = event.leaf
        switch fact {
        case .requested, .routed: break
        case .countryProcessed(let processed):
            row.status = .processed
            row.processedAt = event.entry.at
            row.slot = processed.slot
        case .completed: row.status = .completed
        case .failed(let failed):
            row.status = .failed
            row.failure = .init(reason: failed.reason, message: failed.message)
        }
        return row
    }

    /// The row of a whole stream; nil for an empty one.
    package static func fold(
        _ events: [RecordedEvent], insured: InsuredID?
    ) throws(EventStoreError) -> AppointmentRow? {
        var row: AppointmentRow?
        for event in events { row = try project(event, onto: row, insured: insured) }
        return row
    }
}
