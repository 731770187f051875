import Appointments
import Testing

/// The transition table: every state against every command.
@Suite struct DeciderTests {
    private static let requested: [AppointmentEvent] = [.requested(Samples.request)]
    private static let routed = requested + [.routed(Samples.routed)]
    private static let processed = routed + [.countryProcessed(Samples.processed)]
    private static let completed = processed + [.completed]

    @Test("nobody can act on what was never requested")
    func empty() {
        Given().when(.request(Samples.request), then: .requested(Samples.request))
        Given().when(.route(topic: "appointments-pe"), refuses: .notRequested)
        Given().when(.process(Samples.processed), refuses: .notRequested)
        Given().when(.complete, refuses: .notRequested)
        Given().when(.fail(Samples.givenUp), refuses: .notRequested)
    }

    @Test("a request is routed before it is processed, and may fail")
    func afterRequest() {
        let given = Given(Self.requested)
        given.when(.request(Samples.request), then: nil)
        given.when(.request(Requested(schedule: Samples.schedule(101), country: .peru)), refuses: .differentRequest)
        given.when(.request(Requested(schedule: Samples.schedule(100), country: .chile)), refuses: .differentRequest)
        given.when(.route(topic: "appointments-pe"), then: .routed(Samples.routed))
        given.when(.process(Samples.processed), refuses: .tooEarly(status: "requested"))
        given.when(.complete, refuses: .tooEarly(status: "requested"))
        given.when(.fail(Samples.givenUp), then: .failed(Samples.givenUp))
    }

    @Test("a routed request is processed or fails; routing it again adds nothing")
    func afterRouting() {
        let given = Given(Self.routed)
        given.when(.request(Samples.request), then: nil)
        given.when(.route(topic: "appointments-pe"), then: nil)
        given.when(.process(Samples.processed), then: .countryProcessed(Samples.processed))
        given.when(.complete, refuses: .tooEarly(status: "routed"))
        given.when(.fail(Samples.taken), then: .failed(Samples.taken))
    }

    @Test("a processed request is completed or fails; what came before adds nothing")
    func afterProcessing() {
        let given = Given(Self.processed)
        given.when(.request(Samples.request), then: nil)
        given.when(.route(topic: "appointments-pe"), then: nil)
        given.when(.process(Samples.processed), then: nil)
        given.when(.complete, then: .completed)
        given.when(.fail(Samples.givenUp), then: .failed(Samples.givenUp))
    }

    @Test("a completed appointment stays completed")
    func afterCompletion() {
        let given = Given(Self.completed)
        given.when(.request(Samples.request), then: nil)
        given.when(.route(topic: "appointments-pe"), then: nil)
        given.when(.process(Samples.processed), then: nil)
        given.when(.complete, then: nil)
        given.when(.fail(Samples.givenUp), refuses: .alreadyEnded(.completed))
    }

    @Test("a failed appointment stays failed, wherever it stood", arguments: [requested, routed, processed])
    func afterFailure(events: [AppointmentEvent]) {
        let given = Given(events + [.failed(Samples.taken)])
        given.when(.request(Samples.request), then: nil)
        given.when(.process(Samples.processed), refuses: .alreadyEnded(.failed))
        given.when(.complete, refuses: .alreadyEnded(.failed))
        given.when(.fail(Samples.givenUp), then: nil)
    }

    @Test("the status follows the events")
    func status() {
        #expect(Appointment(folding: Self.requested).status == .pending)
        #expect(Appointment(folding: Self.routed).status == .pending)
        #expect(Appointment(folding: Self.processed).status == .processed)
        #expect(Appointment(folding: Self.completed).status == .completed)
        #expect(Appointment(folding: Self.routed + [.failed(Samples.taken)]).status == .failed)
    }

    @Test("every sequence of events is taken in, whatever its order")
    func anySequence() {
        let all: [AppointmentEvent] = [
            .requested(Samples.request), .routed(Samples.routed), .countryProcessed(Samples.processed), .completed,
            .failed(Samples.taken),
        ]
        for _ in 0..<2000 {
            let events = (0..<Int.random(in: 0...8)).map { _ in all[Int.random(in: 0..<all.count)] }
            #expect(Appointment(folding: events).version == events.count)
        }
    }
}
