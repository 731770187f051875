import Appointments
import ArgumentParser
import EventStore
import Handlers
import Projections
import Replay

/// `ledger dlq`: what was given up.
struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dlq",
        abstract: "Shows dead letters and parked events; sends them round again, or gives them up.",
        discussion: """
            A letter's id is a number, a parked event's is APPOINTMENT@VERSION. Both are pointers: what they point at \
            is read again from the ledger, with today's program.

            EXAMPLES
              ledger dlq list
              ledger dlq redrive --all
              ledger dlq discard 17 --reason 'asked twice by mistake' --yes
            """,
        subcommands: [List.self, Show.self, Redrive.self, Discard.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists dead letters, oldest first, then the parked events of each projection.",
            discussion: """
                EXAMPLE
                  ledger dlq list --queue appointments-pe
                """)

        @Option(help: "Only this queue.", transform: Reading.queue) var queue: QueueName?
        @Option(help: "At most so many letters.") var limit = 1000
        @OptionGroup var options: SharedOptions

        func validate() throws { try requireLetterLimit(limit) }

        func run() async throws {
            let ledger = try await options.open()
            var printer = options.printer(["id", "kind", "queue", "appointmentId", "receives", "at", "reason"])
            let letters = try await ledger.deadLetters.list(queue, limit: limit + 1)
            for letter in letters.prefix(limit) {
                try printer.row { $0.object { letter.write(to: &$0) } }
            }
            if queue == nil {
                for (name, event) in try await ledger.parked() {
                    try printer.row { $0.object { event.write(to: &$0, projection: name) } }
                }
            }
            try printer.finish()
            if letters.count > limit { report("ledger: there are more letters than \(limit): name a larger --limit") }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows a dead letter or a parked event, and the appointment behind it as the ledger has it now.",
            discussion: """
                In the message each run of five digits or more is shown as ***23, since it may be a person's number; \
                --show-insured shows it as it is.

                EXAMPLES
                  ledger dlq show 17 --format json
                  ledger dlq show 01a20eb6-7f19-7b9d-981d-8314088a3df2@3
                """)

        @Argument(help: "The id, as `list` shows it.") var id: String
        @OptionGroup var person: PersonOptions
        @OptionGroup var options: SharedOptions

        func run() async throws {
            let ledger = try await options.open()
            if let place = ParkedPlace(id) { return try await show(place, ledger) }
            let letter = try await ledger.letter(id)
            var row: AppointmentRow?
            if let appointment = letter.appointment {
                let insured = try await ledger.views.row(appointment)?.insured
                let history = try await History.read(appointment, from: ledger.store, insured: insured)
                row = try history?.state(at: .latest)
            }
            var printer = options.printer([
                "id", "queue", "receives", "at", "reason", "appointmentId", "appointment.status", "appointment.version",
            ])
            try printer.row { writer in
                writer.object {
                    letter.write(to: &$0)
                    let body = String(decoding: letter.body, as: UTF8.self)
                    // It may be anybody's: whoever sends to the queue chooses what is in it.
                    $0.member("body", person.showInsured ? body : PersonNumbers.masked(body))
                    $0.key("appointment")
                    if let row { $0.appointment(row, showing: person.display) } else { $0.null() }
                }
            }
            try printer.finish()
        }

        /// A parked event, read again by today's program.
        private func show(_ place: ParkedPlace, _ ledger: OpenLedger) async throws {
            let parked = try await ledger.parked(at: place)
            let stored = try await ledger.store.read(place.appointment.stream, from: place.version).first
            var problem: String?
            do throws(EventStoreError) {
                if let stored { _ = try Codec.decode(stored.entry) }
            } catch {
                problem = error.message
            }
            var printer = options.printer([
                "id", "queue", "at", "reason", "readable", "problem", "event.type", "event.position",
            ])
            for (name, event) in parked {
                try printer.row { writer in
                    writer.object {
                        event.write(to: &$0, projection: name)
                        $0.key("readable")
                        $0.boolean(stored != nil && problem == nil)
                        $0.member("problem", problem)
                        $0.key("event")
                        if let stored { $0.historyItem(HistoryItem(stored)) } else { $0.null() }
                    }
                }
            }
            try printer.finish()
        }
    }
}

func requireLetterLimit(_ limit: Int) throws {
    guard (1...1_000_000).contains(limit) else { throw ValidationError("--limit is 1 to 1000000") }
}

extension OpenLedger {
    func letter(_ id: String) async throws -> DeadLetter {
        guard let letter = try await deadLetters.letter(id) else {
            throw Refusal("there is no dead letter \(id): `ledger dlq list` shows all")
        }
        return letter
    }
}

extension DeadLetter {
    /// The appointment that the letter points at; nil when its body can't be read.
    var appointment: AppointmentID? {
        switch queue {
        case .country: (try? CountryMessage(body: body))?.appointment
        case .completion, .error: (try? BusNotice(body: body))?.appointment
        }
    }

    fileprivate func write(to writer: inout JSONWriter) {
        writer.member("id", id)
        writer.member("kind", "letter")
        writer.member("queue", queue.rawValue)
        writer.member("appointmentId", appointment?.description)
        writer.member("receives", receiveCount)
        writer.member("at", deadAt)
        writer.member("reason", reason)
    }
}

extension ParkedEvent {
    fileprivate func write(to writer: inout JSONWriter, projection: ConsumerName) {
        writer.member("id", "\(appointment)@\(version)")
        writer.member("kind", "parked")
        writer.member("queue", projection.description)
        writer.member("appointmentId", appointment.description)
        writer.member("receives", Int?.none)
        writer.member("at", at)
        writer.member("reason", reason)
    }
}
