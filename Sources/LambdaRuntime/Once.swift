package import EventStore

/// A value that is made with its first use. Who comes meanwhile waits for it; a failure is tried again by the next.
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
        let outcome = await making.value
        self.making = nil
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
