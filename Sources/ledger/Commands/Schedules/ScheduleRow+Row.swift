import Appointments
import Handlers

extension ScheduleRow: FieldRow {
    static let fields: Fields = [
        "scheduleId": { $0.slot.schedule.number }, "countryISO": { $0.country.code }, "centerId": { $0.slot.center },
        "specialtyId": { $0.slot.specialty }, "medicId": { $0.slot.medic }, "date": { $0.slot.date },
        "available": { $0.holder == nil }, "appointmentId": { $0.holder?.description },
    ]
}

extension Ledger {
    /// Prints the slots of a country, or of all.
    func printSlots(of country: Country?, onlyAvailable: Bool, with printer: Printer) async throws {
        var printer = printer
        for country in country.map({ [$0] }) ?? Country.allCases {
            var after: ScheduleID?
            while let page = try await performer.countries[country]?.schedules(after: after, limit: 500),
                let last = page.last
            {
                for row in page where !onlyAvailable || row.holder == nil { try printer.print(row) }
                after = last.slot.schedule
            }
        }
        try printer.finish()
    }
}
