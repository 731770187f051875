import Appointments
import ArgumentParser
import EventStore
import HostSystem

/// `ledger schedules import`.
struct ImportSchedules: Verb {
    static let configuration = CommandConfiguration(
        commandName: "import",
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

    func run(in shell: Shell) async throws {
        let progress = shell.progress()
        defer { progress.clear() }
        var read = try ScheduleFile(file, in: shell, progress: progress)
        let ledger = try await options.open(in: shell, .create(demoSlots: false))
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
                try refuse(read, refusals, shell)
            }
        }
        progress.clear()
        try refuse(read, [], shell)
        let unbookable = slots.compactMap { $0.slot.unbookable(in: $0.country, from: now) }
        if allowUnbookable, let counts = ScheduleFile.unbookable(unbookable) {
            shell.tell("slots that nobody can book: \(counts)")
        }
        shell.tell("imported \(slots.count) slots; `ledger schedules list` shows them")
    }

    /// Reports all that is wrong with a file.
    ///
    /// - Throws: a refusal when there is anything.
    private func refuse(_ file: ScheduleFile, _ refusals: [SlotRefusal], _ shell: Shell) throws {
        let errors = file.errors
        if errors.count == 0 { return }
        let unbookable = refusals.compactMap { refusal -> UnbookableReason? in
            if case .unbookable(let reason) = refusal.reason { reason } else { nil }
        }
        let texts = errors.shown.sorted { $0.line < $1.line }.map { "line \($0.line): \($0.text)" }
        let counts = ScheduleFile.unbookable(unbookable)
        if errors.count == 1, counts == nil { throw Refusal(texts[0]) }
        for text in texts { shell.tell("\(text)") }
        if let counts {
            shell.tell("slots that nobody can book: \(counts); --allow-unbookable takes them")
        }
        let more = errors.count - errors.shown.count
        throw Refusal(
            "\(more > 0 ? "\(more) more; " : "")\(errors.count) errors in all, and nothing was imported")
    }
}
