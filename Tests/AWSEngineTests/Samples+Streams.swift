import EventStore
import TestEngines

/// Events that these tests write. The same numbers give the same events.
extension Samples {
    static func stream(_ number: Int) -> StreamID { StreamID(id(number)) }

    static func event(_ number: Int, _ type: String = "routed", personal: [SealedField] = []) -> NewEvent {
        NewEvent(
            type: type, schema: 1, id: id(number), at: Timestamp(milliseconds: 1_795_504_253_123), country: "PE",
            actor: "router", correlation: "c-1", causation: nil, data: Array(#"{"topic":"appointments-pe"}"#.utf8),
            personal: personal)
    }

    static func sealed(_ stream: StreamID) throws -> SealedField { try sealed("00123", stream: stream) }
}
