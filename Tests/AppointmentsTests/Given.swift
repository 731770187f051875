import Appointments
import EventStore
import Testing

/// Given some events, when a command comes, then an event follows, or nothing, or a refusal.
struct Given {
    private let state: Appointment

    init(_ events: AppointmentEvent...) { state = Appointment(folding: events) }

    init(_ events: [AppointmentEvent]) { state = Appointment(folding: events) }

    func when(
        _ command: AppointmentCommand, then event: AppointmentEvent?, at location: SourceLocation = #_sourceLocation
    ) {
        do throws(Rejection) {
            let decided = try state.decide(command)
            #expect(decided == event, sourceLocation: location)
        } catch {
            Issue.record("refused: \(error)", sourceLocation: location)
        }
    }

    func when(
        _ command: AppointmentCommand, refuses rejection: Rejection, at location: SourceLocation = #_sourceLocation
    ) {
        #expect(throws: rejection, sourceLocation: location) { try state.decide(command) }
    }
}

enum Samples {
    static let request = Requested(schedule: schedule(100), country: .peru)
    static let routed = Routed(topic: "appointments-pe")
    static let slot = Slot(
        schedule: schedule(100), center: 4, specialty: 3, medic: 2,
        date: Timestamp(milliseconds: 1_796_148_000_000))
    static let processed = CountryProcessed(
        slot: slot, booking: Identifier(high: 0x1122_3344_5566_8778, low: 0x9900_AABB_CCDD_EEFF))
    static let taken = Failed(reason: .slotTaken, stage: .processing, message: FailureReason.slotTaken.message)
    static let givenUp = Failed(reason: .processingExhausted, stage: .operator, message: "asked twice")

    static func schedule(_ number: Int64) -> ScheduleID {
        guard let id = ScheduleID(number) else { preconditionFailure("\(number) is no schedule id") }
        return id
    }
}
