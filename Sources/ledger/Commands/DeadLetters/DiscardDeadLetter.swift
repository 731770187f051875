import Appointments
import ArgumentParser
import EventStore
import Glibc
import Handlers

/// `ledger dlq discard`.
struct DiscardDeadLetter: Verb {
    static let configuration = CommandConfiguration(
        commandName: "discard",
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

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        if let place = ParkedPlace(id) {
            let parked = try await ledger.parked(at: place)
            try consent.ask("appointment \(place.appointment) will end as failed, for ever", in: shell)
            try await giveUp(place.appointment, ledger, shell)
            for (name, _) in parked {
                _ = try await ledger.retry(place.appointment, of: name, options.logger(in: shell))
            }
            return shell.tell("`ledger dlq list` shows what is left, `ledger history` the end")
        }
        let letter = try await ledger.letter(id)
        try consent.ask("letter \(id) will be dropped and its appointment end as failed, for ever", in: shell)
        if let appointment = letter.appointment { try await giveUp(appointment, ledger, shell) }
        _ = try await ledger.deadLetters.remove(id)
        shell.tell("letter \(id) is gone; `ledger dlq list` shows what is left")
    }

    private func giveUp(_ appointment: AppointmentID, _ ledger: Ledger, _ shell: Shell) async throws {
        switch try await ledger.performer.run(GiveUp(appointment, actor: shell.operatorName, message: reason)) {
        case .done, .accepted: shell.tell("appointment \(appointment) ended as failed")
        case .refused(let rejection): shell.tell("appointment \(appointment) stays as it is: \(rejection)")
        case .failed(let reason): throw Refusal(reason)
        }
    }
}
