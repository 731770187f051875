import Appointments
import ArgumentParser
import EventStore
import Glibc
import Handlers
import Projections
import Replay
import SQLiteEngine

/// `ledger dlq`: what was given up.
struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dlq",
        abstract: "Shows dead letters and parked events; sends letters round again, or gives them up.",
        discussion: """
            EXAMPLES
              ledger dlq list
              ledger dlq redrive --all
              ledger dlq discard 17 --reason 'asked twice by mistake'
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
            let letters = try await ledger.messaging.list(queue, limit: limit + 1)
            for letter in letters.prefix(limit) {
                try printer.row { $0.object { letter.write(to: &$0) } }
            }
            if queue == nil {
                for name in [ProjectionRunner.projection, RouterPump.projection] {
                    for event in try await ledger.views.parked(by: name) {
                        try printer.row { $0.object { event.write(to: &$0, projection: name) } }
                    }
                }
            }
            try printer.finish()
            if letters.count > limit { report("ledger: there are more letters than \(limit): name a larger --limit") }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows a dead letter and the appointment that it points at, as the ledger has it now.",
            discussion: """
                EXAMPLE
                  ledger dlq show 17 --format json
                """)

        @Argument(help: "The letter's id.") var id: String
        @OptionGroup var person: PersonOptions
        @OptionGroup var options: SharedOptions

        func run() async throws {
            let ledger = try await options.open()
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
                    $0.member("body", String(decoding: letter.body, as: UTF8.self))
                    $0.key("appointment")
                    if let row { $0.appointment(row, showing: person.display) } else { $0.null() }
                }
            }
            try printer.finish()
        }
    }

    struct Redrive: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Puts dead letters back into their queues, as if they had never been received.",
            discussion: """
                Safe to run twice at once: each letter is moved by one of them.

                EXAMPLES
                  ledger dlq redrive 17 18
                  ledger dlq redrive --queue appointments-pe --limit 50
                  ledger dlq redrive --all
                """)

        @Argument(help: "The letters' ids.") var ids: [String] = []
        @Option(help: "All letters of this queue.", transform: Reading.queue) var queue: QueueName?
        @Flag(help: "All letters.") var all = false
        @Option(help: "At most so many; without it as many as there are.") var limit: Int?
        @OptionGroup var options: SharedOptions

        func validate() throws {
            guard [!ids.isEmpty, all, queue != nil].count(where: { $0 }) == 1 else {
                throw ValidationError("name letters, or a --queue, or --all")
            }
            if let limit { try requireLetterLimit(limit) }
            if limit != nil, !ids.isEmpty { throw ValidationError("--limit goes with --queue or --all") }
        }

        func run() async throws {
            let messaging = try await options.open().messaging
            guard ids.isEmpty else {
                let count = try await messaging.redrive(ids)
                report("ledger: \(count) of \(ids.count) letters are in their queues again")
                if count < ids.count { throw ExitCode(3) }
                return
            }
            // A letter that dies again meanwhile is left: it is newer than the command.
            let start = Machine.now()
            var count = 0
            while count < limit ?? .max {
                let page = try await messaging.list(queue, limit: min((limit ?? .max) - count, 1000))
                let chosen = page.filter { $0.deadAt <= start }.map(\.id)
                if chosen.isEmpty { break }
                count += try await messaging.redrive(chosen)
            }
            report("ledger: \(count) letters are in their queues again; `ledger stats` shows them move")
        }
    }

    struct Discard: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Gives a letter up: its appointment ends as failed, with your name and reason, for ever.",
            discussion: """
                EXAMPLE
                  ledger dlq discard 17 --reason 'asked twice by mistake'
                """)

        @Argument(help: "The letter's id.") var id: String
        @Option(help: "Why, for those who read the history; without personal data.") var reason: String
        @OptionGroup var options: SharedOptions

        func validate() throws {
            guard (1...500).contains(reason.utf8.count),
                !reason.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
            else { throw ValidationError("--reason is 1 to 500 bytes without control characters") }
        }

        func run() async throws {
            let ledger = try await options.open()
            let letter = try await ledger.letter(id)
            if let appointment = letter.appointment {
                switch try await ledger.performer.run(GiveUp(appointment, actor: Operator.name, message: reason)) {
                case .done, .accepted: report("ledger: appointment \(appointment) ended as failed")
                case .refused(let rejection): report("ledger: appointment \(appointment) stays as it is: \(rejection)")
                case .failed(let reason): throw Refusal(reason)
                }
            }
            _ = try await ledger.messaging.remove(id)
            report("ledger: letter \(id) is gone")
        }
    }
}

private func requireLetterLimit(_ limit: Int) throws {
    guard (1...1_000_000).contains(limit) else { throw ValidationError("--limit is 1 to 1000000") }
}

extension Embedded {
    fileprivate func letter(_ id: String) async throws -> DeadLetter {
        guard let letter = try await messaging.letter(id) else {
            throw Refusal("there is no dead letter \(id): `ledger dlq list` shows all")
        }
        return letter
    }
}

extension DeadLetter {
    /// The appointment that the letter points at; nil when its body can't be read.
    fileprivate var appointment: AppointmentID? {
        switch queue {
        case .peru, .chile: (try? CountryMessage(body: body))?.appointment
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
    fileprivate func write(to writer: inout JSONWriter, projection: ProjectionName) {
        writer.member("id", "\(appointment)@\(version)")
        writer.member("kind", "parked")
        writer.member("queue", projection.description)
        writer.member("appointmentId", appointment.description)
        writer.member("receives", Int?.none)
        writer.member("at", at)
        writer.member("reason", reason)
    }
}
