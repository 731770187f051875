import Appointments
import EventStore
import Foundation
import Testing

/// `Golden` holds every shape of an event that was ever written, as whole entries. Files are added, never edited.
@Suite struct CodecTests {
    private static let events: [AppointmentEvent] = [
        .requested(Samples.request), .routed(Samples.routed), .countryProcessed(Samples.processed), .completed,
        .failed(Samples.taken),
    ]

    private static var golden: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Golden")
    }

    private func entry(_ event: AppointmentEvent) throws -> Entry {
        let stream = StreamID(Identifier(high: 0x01A2_0EB6_7F19_7B9D, low: 0x981D_8314_088A_3DF2))
        let context = EventContext(
            at: Timestamp(milliseconds: 1_795_504_253_123), country: .peru, actor: "key:front-desk",
            correlation: "visit-7", causation: nil)
        let id = NewEvent.derivedID(stream, version: 1, type: event.type.rawValue)
        return try Entry(NewEvent(event, id: id, context: context), stream: stream, version: 1, previous: nil)
    }

    @Test("today's program writes each event to the same bytes as ever", arguments: events)
    func writes(event: AppointmentEvent) throws {
        let file = Self.golden.appending(path: "\(event.type.rawValue)-\(Codec.schema(of: event.type)).json")
        let stored = try Data(contentsOf: file)
        #expect(try entry(event).bytes == Array(stored))
    }

    @Test("every shape that was ever written is read")
    func reads() throws {
        let files = try FileManager.default.contentsOfDirectory(at: Self.golden, includingPropertiesForKeys: nil)
        var types: Set<EventType> = []
        for file in files {
            let event = try Codec.decode(try Entry(Array(try Data(contentsOf: file))))
            types.insert(event.type)
            #expect(Self.events.contains(event), "\(file.lastPathComponent)")
        }
        #expect(types == Set(EventType.allCases))
    }

    @Test("a field that this program does not know is passed over")
    func unknownField() throws {
        let text = String(decoding: try entry(.routed(Samples.routed)).bytes, as: UTF8.self)
        let more = text.replacingOccurrences(of: #"{"topic""#, with: #"{"priority":{"a":[1]},"topic""#)
        #expect(try Codec.decode(try Entry(Array(more.utf8))) == .routed(Samples.routed))
    }

    @Test(
        "an unknown type, a newer shape and a missing field are corrupt, never a trap",
        arguments: [
            (#""type":"routed""#, #""type":"rerouted""#), (#""schema":1"#, #""schema":2"#),
            (#"{"topic":"appointments-pe"}"#, "{}"), (#""appointments-pe"}"#, "7}"),
        ])
    func unreadable(old: String, new: String) throws {
        let text = String(decoding: try entry(.routed(Samples.routed)).bytes, as: UTF8.self)
        let changed = text.replacingOccurrences(of: old, with: new)
        try #require(changed != text)
        let error = #expect(throws: EventStoreError.self) { try Codec.decode(try Entry(Array(changed.utf8))) }
        #expect(error?.code == .corrupt)
    }

    @Test("an upcaster lifts an old shape to today's when it is read, and what is stored stays")
    func upcaster() throws {
        // Suppose that `routed` was once written with `queue` instead of `topic`, in a shape with the number 0.
        let text = String(decoding: try entry(.routed(Samples.routed)).bytes, as: UTF8.self)
        let stored = Array(
            text.replacingOccurrences(of: #"{"topic""#, with: #"{"queue""#).utf8)
        let lift = Upcaster(type: .routed, schema: 1) { data in
            .object([(key: "topic", value: data["queue"] ?? .null)])
        }
        let entry = try Entry(stored)
        #expect(throws: EventStoreError.self) { try Codec.decode(entry, upcasters: []) }
        #expect(try Codec.decode(entry, upcasters: [lift]) == .routed(Samples.routed))
        #expect(entry.bytes == stored)
    }
}
