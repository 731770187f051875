import Appointments
import EventStore
import Handlers
import TestEngines
import Testing

@Suite("The contract of Topics and EventBus")
struct TopicsContract {
    private func bodies(_ ledger: TestEngine) async throws -> [QueueName: [[UInt8]]] {
        var bodies: [QueueName: [[UInt8]]] = [:]
        for name in QueueName.allCases {
            let messages = try await ledger.queues(name).receive(
                limit: 10, waitMilliseconds: 0, visibilityMilliseconds: 1000)
            if !messages.isEmpty { bodies[name] = messages.map(\.body) }
        }
        return bodies
    }

    @Test(
        "a topic's message reaches the country's queue alone, wrapped as SNS wraps it", arguments: Engine.ofStores,
        Country.allCases)
    func publish(engine: Engine, country: Country) async throws {
        let ledger = try await engine.make()
        let message = CountryMessage(
            .requested, appointment: Samples.appointment(1), schedule: try Samples.schedule(100), country: country,
            at: Samples.noon, correlation: "c-1")
        try await ledger.topics.publish(message.outgoing, to: TopicName(of: country))
        let bodies = try await bodies(ledger)
        #expect(Array(bodies.keys) == [QueueName(of: country)])
        let body = try #require(bodies[QueueName(of: country)]?.first)
        #expect(try CountryMessage(body: body) == message)
        let envelope = try JSONValue(body)
        #expect(envelope["Type"]?.text == "Notification")
        #expect(envelope["Message"]?.text == String(decoding: message.outgoing.body, as: UTF8.self))
        #expect(envelope["MessageAttributes"]?["countryISO"]?["Value"]?.text == country.code)
        #expect(envelope["MessageAttributes"]?["eventType"]?["Value"]?.text == "AppointmentRequested")
        let sentAt = try #require(envelope["Timestamp"]?.text.flatMap { Timestamp($0) })
        if engine.goesByHandClock { #expect(sentAt == ledger.clock.now()) }
        #expect(envelope["TopicArn"]?.text?.hasSuffix(":" + TopicName(of: country).rawValue) == true)
    }

    @Test("nothing is subscribed to the main topic", arguments: Engine.ofStores)
    func mainTopic(engine: Engine) async throws {
        let ledger = try await engine.make()
        try await ledger.topics.publish(OutgoingMessage(body: Array("{}".utf8)), to: .main)
        #expect(try await bodies(ledger).isEmpty)
    }

    @Test(
        "a booking reaches the completion queue, wrapped as EventBridge wraps it", arguments: Engine.ofStores,
        Country.allCases)
    func processed(engine: Engine, country: Country) async throws {
        let ledger = try await engine.make()
        let message = BusMessage.processed(
            Samples.appointment(1), country: country, schedule: try Samples.schedule(100), event: Samples.id(9),
            at: Samples.noon, correlation: "c-1")
        try await ledger.bus.put(message.event)
        let bodies = try await bodies(ledger)
        #expect(Array(bodies.keys) == [.completion])
        let envelope = try JSONValue(try #require(bodies[.completion]?.first))
        #expect(envelope["detail-type"]?.text == "Appointment Processed")
        #expect(envelope["source"]?.text == "medical.appointment.\(country.code.lowercased())")
        let time = try #require(envelope["time"]?.text.flatMap { Timestamp($0) })
        // The emulator of EventBridge writes the moment at which it took the event.
        if engine.goesByHandClock { #expect(time == Samples.noon) }
        #expect(try BusNotice(body: envelope.bytes).appointment == Samples.appointment(1))
        #expect(envelope["detail"]?["eventId"]?.text == Samples.id(9).description)
    }

    @Test("a failure reaches the error queue", arguments: Engine.ofStores, Country.allCases)
    func failed(engine: Engine, country: Country) async throws {
        let ledger = try await engine.make()
        let message = BusMessage.failed(
            Samples.appointment(1), country: country, reason: .slotTaken, event: Samples.id(9), at: Samples.noon,
            correlation: "c-1")
        try await ledger.bus.put(message.event)
        let bodies = try await bodies(ledger)
        #expect(Array(bodies.keys) == [.error])
        let notice = try BusNotice(body: try #require(bodies[.error]?.first))
        #expect(notice.reason == .slotTaken)
        #expect(notice.country == country)
    }

    @Test(
        "an event that no rule matches reaches no queue", arguments: Engine.ofStores,
        [
            ("medical.appointment.pe", "Appointment Processed", #"{"status":"PROCESSED","countryISO":"CL"}"#),
            ("medical.appointment.pe", "Appointment Processed", #"{"status":"FAILED","countryISO":"PE"}"#),
            ("medical.appointment.pe", "Processing Error", #"{"status":"FAILED","countryISO":"PE"}"#),
            ("medical.appointment", "Appointment Processed", #"{"status":"PROCESSED","countryISO":"PE"}"#),
            ("medical.appointment", "Processing Error", #"{"status":"PROCESSED"}"#),
            ("medical.appointment", "Processing Error", "no JSON"),
            ("elsewhere", "Processing Error", #"{"status":"FAILED"}"#),
        ])
    func noRule(engine: Engine, event: (source: String, type: String, detail: String)) async throws {
        let ledger = try await engine.make()
        try await ledger.bus.put(
            BusEvent(
                source: event.source, detailType: event.type, detail: Array(event.detail.utf8), time: Samples.noon))
        #expect(try await bodies(ledger).isEmpty)
    }
}
