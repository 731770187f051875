package import Appointments
package import EventStore
package import Projections

/// Which event made each field of an appointment's row, under which rule.
package struct Explanation: Sendable {
    package let projection: ConsumerName
    package let fields: [Field]

    /// A field of the row.
    package struct Field: Sendable {
        package let name: String
        /// What it holds, as text; nil where it is empty.
        package let value: String?
        /// The last event that changed it; nil for a field that was never filled.
        package let event: HistoryItem?
    }

    /// Folds a history event by event and notes what each one changes.
    ///
    /// - Throws: `corrupt` when an event can't be read.
    package init(
        _ history: History, with projection: Projection = .appointments, showing person: PersonDisplay
    ) throws(EventStoreError) {
        self.projection = projection.name
        var fields: [Field] = []
        var row: AppointmentRow?
        for event in history.events {
            row = try projection.next(event, onto: row, insured: history.insured) ?? row
            guard let row else { continue }
            let values = row.fields(showing: person)
            let item = HistoryItem(event)
            fields = values.indices.map { index in
                let (name, value) = values[index]
                let before = fields.isEmpty ? nil : fields[index]
                let isNew = before?.value != value
                return Field(name: name, value: value, event: isNew ? item : before?.event)
            }
        }
        self.fields = fields
    }

    /// The event that made a field; nil for one that was never filled.
    package func event(of field: String) -> HistoryItem? { fields.first { $0.name == field }?.event }
}

extension AppointmentRow {
    /// The fields of the row as people know them, in order, each as text; nil for one that is empty.
    package func fields(showing person: PersonDisplay) -> [(name: String, value: String?)] {
        [
            ("insuredId", person.text(of: insured)), ("countryISO", country.code), ("status", status.rawValue),
            ("createdAt", createdAt.description), ("updatedAt", updatedAt.description),
            ("processedAt", processedAt?.description), ("schedule.scheduleId", "\(schedule.number)"),
            ("schedule.centerId", slot.map { "\($0.center)" }),
            ("schedule.specialtyId", slot.map { "\($0.specialty)" }), ("schedule.medicId", slot.map { "\($0.medic)" }),
            ("schedule.date", slot?.date.description), ("failure.reason", failure?.reason.rawValue),
            ("failure.message", failure?.message), ("version", "\(version)"), ("leaf", leaf.description),
        ]
    }

    /// The fields in which two rows of an appointment differ; all that are filled where one of them is missing.
    package static func changes(
        from old: AppointmentRow?, to new: AppointmentRow?, showing person: PersonDisplay
    ) -> [FieldChange] {
        let (before, after) = (old?.fields(showing: person), new?.fields(showing: person))
        let names = (after ?? before ?? []).map(\.name)
        return names.indices.compactMap { index in
            let (was, then) = (before?[index].value, after?[index].value)
            // Two persons may look the same in their masks.
            let isHidden = names[index] == "insuredId" && old?.insured != new?.insured
            return was != then || isHidden ? FieldChange(name: names[index], old: was, new: then) : nil
        }
    }
}

/// A field that two rows do not agree on.
package struct FieldChange: Equatable, Sendable {
    package let name: String
    package let old: String?
    package let new: String?
}
