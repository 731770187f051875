package import EventStore
package import Handlers

/// The event bus of EventBridge.
package struct EventBridgeBus: EventBus {
    private let client: AWSClient
    private let name: String
    /// How often an event is put at most that EventBridge took the call for, and failed.
    private static let attempts = 4

    /// - Parameter name: the name or ARN of the bus.
    package init(_ client: AWSClient, name: String) { (self.client, self.name) = (client, name) }

    package func put(_ event: BusEvent) async throws(EventStoreError) {
        for attempt in 1... {
            guard let (code, place) = try await failure(of: event) else { return }
            let isPassing = ["ThrottlingException", "InternalFailure", "InternalException"].contains(code)
            guard isPassing, attempt < Self.attempts else {
                throw EventStoreError(
                    isPassing ? .unavailable : .invalid, message: "eventbridge did not take an event: \(code)\(place)")
            }
            await client.pause(afterAttempt: attempt, of: .eventBridge, code)
        }
    }

    /// Puts an event once.
    ///
    /// - Returns: why EventBridge did not take it, though it took the call, and the request; nil when it did.
    private func failure(of event: BusEvent) async throws(EventStoreError) -> (code: String, place: String)? {
        let answer: JSONAnswer
        do throws(AWSError) {
            answer = try await client.answer(.eventBridge, "PutEvents") { writer in
                writer.member("Entries") { writer in
                    writer.array { writer in
                        writer.object {
                            $0.member("Source", event.source)
                            $0.member("DetailType", event.detailType)
                            $0.member("Detail", String(decoding: event.detail, as: UTF8.self))
                            // Seconds since 1970: EventBridge keeps no smaller part.
                            $0.member("Time", event.time.milliseconds.flooringDivision(by: 1000))
                            $0.member("EventBusName", name)
                        }
                    }
                }
            }
        } catch {
            throw error.asStoreError
        }
        // An answer that does not say that it was taken leaves that open.
        if answer.value["FailedEntryCount"]?.whole == 0 { return nil }
        return (answer.value["Entries"]?.elements.first?["ErrorCode"]?.text ?? "InternalFailure", answer.place)
    }
}
