import Appointments
import ArgumentParser
import EventStore
import Glibc
import Handlers
import HostSystem
import Logging
import Projections

extension DeadLettersCommand {
    struct Redrive: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Puts dead letters back into their queues, and folds or routes parked appointments again.",
            discussion: """
                A letter goes back as if it had never been received. Safe to run twice at once: each is moved by \
                one of them, and a parked event that was taken in meanwhile is passed over.

                EXAMPLES
                  ledger dlq redrive 17 18
                  ledger dlq redrive --queue appointments-pe --limit 50 --rate 10
                  ledger dlq redrive --parked --limit 10 --rate 1
                  ledger dlq redrive --all
                """)

        @Argument(help: "The ids, as `list` shows them.") var ids: [String] = []
        @Option(help: "All letters of this queue.", transform: Reading.queue) var queue: QueueName?
        @Flag(help: "All letters.") var all = false
        @Flag(help: "All parked appointments.") var parked = false
        @Option(help: "At most so many; without it as many as there are.") var limit: Int?
        @Option(help: "At most so many a second.") var rate = 1000
        @OptionGroup var options: SharedOptions

        func validate() throws {
            guard [!ids.isEmpty, all, parked, queue != nil].count(where: { $0 }) == 1 else {
                throw ValidationError("name letters, or a --queue, or --parked, or --all")
            }
            if let limit { try requireLetterLimit(limit) }
            guard (1...100_000).contains(rate) else { throw ValidationError("--rate is 1 to 100000") }
        }

        func run() async throws {
            let ledger = try await options.open()
            if parked { return try await redrive(try await ledger.parked(), ledger) }
            let places = ids.compactMap(ParkedPlace.init)
            if !places.isEmpty {
                guard places.count == ids.count else { throw Refusal("name letters or parked events, not both") }
                var found: [(ConsumerName, ParkedEvent)] = []
                for place in places { found += try await ledger.parked(at: place) }
                return try await redrive(found, ledger)
            }
            let redrive = RedriveRun(ledger.deadLetters, pace: Pace(rate), limit: limit)
            guard ids.isEmpty else {
                let count = try await redrive.letters(ids)
                report("ledger: \(count) of \(ids.count) letters are in their queues again; `ledger stats` shows them")
                if count < min(ids.count, limit ?? .max) { throw ExitCode(3) }
                return
            }
            let count = try await redrive.letters(of: queue, deadBy: System.now())
            report("ledger: \(count) letters are in their queues again; `ledger stats` shows them move")
        }

        private func redrive(_ parked: [(ConsumerName, ParkedEvent)], _ ledger: OpenLedger) async throws {
            var left = 0
            let redrive = RedriveRun(ledger.deadLetters, pace: Pace(rate), limit: limit)
            let tried = try await redrive.each(parked) { name, event in
                guard let still = try await ledger.retry(event.appointment, of: name) else { return }
                left += 1
                report("ledger: \(name) still parks \(still.appointment)@\(still.version): \(still.reason)")
            }
            report("ledger: \(tried - left) of \(parked.count) go on; `ledger dlq list` shows the others")
            if left > 0 { throw ExitCode(3) }
        }
    }

    struct Discard: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Gives a letter or a parked event up: its appointment ends as failed, with your name and reason.",
            discussion: """
                That is for ever: it asks on a terminal, and needs --yes elsewhere.

                EXAMPLES
                  ledger dlq discard 17 --reason 'asked twice by mistake'
                  ledger dlq discard 01a20eb6-7f19-7b9d-981d-8314088a3df2@3 --reason 'made by a test' --yes
                """)

        @Argument(help: "The id, as `list` shows it.") var id: String
        @Option(help: "Why, for those who read the history; without personal data: no run of exactly five digits.")
        var reason: String
        @OptionGroup var consent: ConsentOptions
        @OptionGroup var options: SharedOptions

        func validate() throws {
            guard (1...500).contains(reason.utf8.count),
                !reason.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
            else { throw ValidationError("--reason is 1 to 500 bytes without control characters") }
            if PersonNumbers.isFound(in: reason) {
                throw ValidationError(
                    "--reason must not hold a run of exactly five digits: it is kept for ever, and could be a person's "
                        + "number; name the appointment instead")
            }
        }

        func run() async throws {
            let ledger = try await options.open()
            if let place = ParkedPlace(id) {
                let parked = try await ledger.parked(at: place)
                try consent.ask("appointment \(place.appointment) will end as failed, for ever")
                try await giveUp(place.appointment, ledger)
                for (name, _) in parked { _ = try await ledger.retry(place.appointment, of: name) }
                return report("ledger: `ledger dlq list` shows what is left, `ledger history` the end")
            }
            let letter = try await ledger.letter(id)
            try consent.ask("letter \(id) will be dropped and its appointment end as failed, for ever")
            if let appointment = letter.appointment { try await giveUp(appointment, ledger) }
            _ = try await ledger.deadLetters.remove(id)
            report("ledger: letter \(id) is gone; `ledger dlq list` shows what is left")
        }

        private func giveUp(_ appointment: AppointmentID, _ ledger: OpenLedger) async throws {
            switch try await ledger.performer.run(GiveUp(appointment, actor: Operator.name, message: reason)) {
            case .done, .accepted: report("ledger: appointment \(appointment) ended as failed")
            case .refused(let rejection): report("ledger: appointment \(appointment) stays as it is: \(rejection)")
            case .failed(let reason): throw Refusal(reason)
            }
        }
    }
}

/// How a parked event is named: `APPOINTMENT@VERSION`.
struct ParkedPlace {
    let appointment: AppointmentID
    let version: Int

    init?(_ text: String) {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, let appointment = AppointmentID(parts[0]), let version = Int(parts[1]) else {
            return nil
        }
        (self.appointment, self.version) = (appointment, version)
    }
}

extension OpenLedger {
    /// The first parked event of each appointment that a consumer has parked.
    func parked() async throws(EventStoreError) -> [(ConsumerName, ParkedEvent)] {
        var all: [(ConsumerName, ParkedEvent)] = []
        for name in ProjectionsCommand.known {
            for event in try await views.parked(by: name) { all.append((name, event)) }
        }
        return all
    }

    /// The parked events that a name means, by those who park them.
    func parked(at place: ParkedPlace) async throws -> [(ConsumerName, ParkedEvent)] {
        let found = try await parked().filter {
            $0.1.appointment == place.appointment && $0.1.version == place.version
        }
        if found.isEmpty {
            throw Refusal("\(place.appointment)@\(place.version) is not parked: `ledger dlq list` shows what is")
        }
        return found
    }

    /// Lets a consumer try a parked appointment again; gives what parks it still.
    func retry(_ appointment: AppointmentID, of name: ConsumerName) async throws(EventStoreError) -> ParkedEvent? {
        if name == ProjectionRunner.projection {
            return try await ProjectionRunner(feed: store, store: store, views: views, people: people)
                .retry(appointment, now: System.now())
        }
        return try await RouterPump(
            feed: store, checkpoints: views, performer: performer, logger: Logger(label: "ledger")
        ).retry(appointment)
    }
}
