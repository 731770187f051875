import Appointments
import ArgumentParser
import EventStore
import Handlers
import HostSystem

/// `ledger schedules`: the countries' slots.
struct SchedulesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedules", abstract: "Imports, lists and exports the countries' slots.",
        discussion: """
            EXAMPLES
              ledger schedules import slots.csv
              ledger schedules list --country PE
            """,
        subcommands: [Import.self, List.self, Export.self])

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds slots from a CSV file, or replaces those that nobody holds; all lines or none.",
            discussion: """
                The first line names the columns \(ScheduleFile.header), in any order; what an export has besides is \
                passed over. Comma, semicolon or tab, quotes and a byte order mark are all read. Times are RFC 3339.

                The agenda is judged as it is afterwards, so slots may change places. A slot that an appointment holds \
                stays as it is, and no medic has two slots at a time. New and changed slots that nobody could book (in \
                the past, outside the opening hours, not on a whole minute) are refused unless --allow-unbookable is \
                given. All that is wrong is reported by its line. Where the countries have PostgreSQL databases of \
                their own, each takes all of its lines or none.

                EXAMPLE
                  ledger schedules import slots.csv
                """)

        @Argument(help: "The file; - for standard input.") var file: String
        @Flag(help: "Take slots that nobody can book, too.") var allowUnbookable = false
        @OptionGroup var options: SharedOptions

        func run() async throws {
            let progress = Progress()
            defer { progress.clear() }
            var read = try ScheduleFile(file, progress: progress)
            let ledger = try await options.open(.create(demoSlots: false))
            let now = System.now()
            let slots = read.slots
            if !slots.isEmpty || read.errors.count == 0 {
                do throws(EventStoreError) {
                    try await ledger.addSlots(
                        slots,
                        SlotAdmission(
                            bookableFrom: allowUnbookable ? nil : now, checksOnly: read.errors.count > 0,
                            progress: { progress.show($0, of: $1, "slots") }))
                } catch {
                    guard let refusals = error.slotRefusals else { throw error }
                    read.note(refusals)
                    try refuse(read, refusals)
                }
            }
            progress.clear()
            try refuse(read, [])
            let unbookable = slots.compactMap { $0.slot.unbookable(in: $0.country, from: now) }
            if allowUnbookable, let counts = ScheduleFile.unbookable(unbookable) {
                report("ledger: slots that nobody can book: \(counts)")
            }
            report("ledger: imported \(slots.count) slots; `ledger schedules list` shows them")
        }

        /// Reports all that is wrong with a file.
        ///
        /// - Throws: a refusal when there is anything.
        private func refuse(_ file: ScheduleFile, _ refusals: [SlotRefusal]) throws {
            let errors = file.errors
            if errors.count == 0 { return }
            let unbookable = refusals.compactMap { refusal -> UnbookableReason? in
                if case .unbookable(let reason) = refusal.reason { reason } else { nil }
            }
            let texts = errors.shown.sorted { $0.line < $1.line }.map { "line \($0.line): \($0.text)" }
            let counts = ScheduleFile.unbookable(unbookable)
            if errors.count == 1, counts == nil { throw Refusal(texts[0]) }
            for text in texts { report("ledger: \(text)") }
            if let counts {
                report("ledger: slots that nobody can book: \(counts); --allow-unbookable takes them")
            }
            let more = errors.count - errors.shown.count
            throw Refusal(
                "\(more > 0 ? "\(more) more; " : "")\(errors.count) errors in all, and nothing was imported")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the slots and who holds them.",
            discussion: """
                EXAMPLES
                  ledger schedules list --country CL
                  ledger schedules list --available
                """)

        @Option(help: "Only this country, \(Country.list).", transform: Reading.country) var country: Country?
        @Flag(help: "Only slots that nobody holds.") var available = false
        @OptionGroup var options: SharedOptions

        func run() async throws {
            var printer = options.printer(ScheduleFile.columns)
            try await printSlots(country, onlyAvailable: available, options, &printer)
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Writes all slots with their holders, as CSV unless --format says otherwise.",
            discussion: """
                EXAMPLE
                  ledger schedules export > slots.csv
                """)

        @Option(help: "Only this country, \(Country.list).", transform: Reading.country) var country: Country?
        @OptionGroup var options: SharedOptions

        func run() async throws {
            var printer = options.printer(ScheduleFile.columns, otherwise: .csv)
            try await printSlots(country, onlyAvailable: false, options, &printer)
        }
    }

    private static func printSlots(
        _ country: Country?, onlyAvailable: Bool, _ options: SharedOptions, _ printer: inout Printer
    ) async throws {
        let ledger = try await options.open()
        for country in country.map({ [$0] }) ?? Country.allCases {
            var after: ScheduleID?
            while let page = try await ledger.performer.countries[country]?.schedules(after: after, limit: 500),
                let last = page.last
            {
                for row in page where !onlyAvailable || row.holder == nil { try printer.row(row.write) }
                after = last.slot.schedule
            }
        }
        try printer.finish()
    }
}

extension ScheduleRow {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.object {
            $0.member("scheduleId", slot.schedule.number)
            $0.member("countryISO", country.code)
            $0.member("centerId", slot.center)
            $0.member("specialtyId", slot.specialty)
            $0.member("medicId", slot.medic)
            $0.member("date", slot.date)
            $0.member("available") { $0.boolean(holder == nil) }
            $0.member("appointmentId", holder?.description)
        }
    }
}
