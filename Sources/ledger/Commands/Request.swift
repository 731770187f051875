import API
import Appointments
import ArgumentParser
import EventStore
import Handlers
import HostSystem
import Projections

/// `ledger request`: asks for an appointment without the API.
struct RequestCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "request",
        abstract: "Asks for an appointment, as POST /appointments does; a server on the same directory takes it on.",
        discussion: """
            EXAMPLES
              ledger request --insured 00123 --schedule 100 --country PE
              ledger request --insured - --schedule 100 --country PE < id.txt
              ledger request --insured 00123 --schedule 1001 --country CL --idempotency-key monday-7
            """)

    @Option(
        help: "The insured person's five digits; - reads them from standard input.", transform: Reading.insured)
    var insured: InsuredID
    @Option(help: "The slot's scheduleId.", transform: Reading.schedule) var schedule: ScheduleID
    @Option(help: "\(Country.list).", transform: Reading.country) var country: Country
    @Option(help: "The same key again gives the first answer again.") var idempotencyKey: String?
    @OptionGroup var person: PersonOptions
    @OptionGroup var options: SharedOptions

    private static let actor = "cli"

    func validate() throws {
        guard let key = idempotencyKey else { return }
        guard (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw ValidationError("--idempotency-key is 1 to 255 visible ASCII characters")
        }
    }

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        let id =
            idempotencyKey.map {
                AppointmentID(owner: Self.actor, idempotencyKey: $0, secret: ledger.secrets.idempotencySecret)
            } ?? AppointmentID(at: System.now(), random: (.random(in: 0 ... .max), .random(in: 0 ... .max)))
        let intake = Intake(
            Intake.Wish(
                insured: insured, request: Requested(schedule: schedule, country: country), actor: Self.actor,
                correlation: Identifier.random().description),
            ids: Intake.NewIDs(appointment: id, event: Identifier.random(), nonce: System.random(12)))
        switch try await ledger.performer.run(intake) {
        case .accepted(let event, let replayed):
            guard let row = try AppointmentProjection.fold([event], insured: insured) else { return }
            if replayed { shell.tell("this key was used before; this is the first answer") }
            try options.print(
                [ShownAppointment(row: row, person: person.display)],
                columns: ["appointmentId", "insuredId", "countryISO", "status", "createdAt"], in: shell)
        case .refused(.differentRequest):
            throw Refusal("this idempotency key was used before, for another request: take a new key")
        case .refused(let rejection): throw Refusal("the request was refused: \(rejection)")
        case .failed(let reason): throw Refusal(reason)
        case .done: throw Refusal("the request ended without an event")
        }
    }
}
