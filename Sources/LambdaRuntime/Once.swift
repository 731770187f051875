package import EventStore

/// A value that is made with its first use. Who comes meanwhile waits for it; a failure is tried again by the next, and
/// so is what was given up because the task of one who waits was cancelled.
package actor Once<Value: Sendable> {
    private let make: @Sendable () async throws(EventStoreError) -> Value
    private var made: Value?
    private var making: Task<Result<Value, EventStoreError>, Never>?

    package init(_ make: @escaping @Sendable () async throws(EventStoreError) -> Value) { self.make = make }

    /// The value.
    ///
    /// - Throws: what making it threw.
    package func value() async throws(EventStoreError) -> Value {
        if let made { return made }
        let making = making ?? Task { [make] in await Self.outcome(make) }
        self.making = making
        // Who is not waited for any longer waits no longer.
        let outcome = await withTaskCancellationHandler {
            await making.value
        } onCancel: {
            making.cancel()
        }
        if self.making == making { self.making = nil }
        let value = try outcome.get()
        made = value
        return value
    }

    private static func outcome(
        _ make: @Sendable () async throws(EventStoreError) -> Value
    ) async -> Result<Value, EventStoreError> {
        do throws(EventStoreError) { return .success(try await make()) } catch { return .failure(error) }
    }
}
