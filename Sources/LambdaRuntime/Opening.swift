package import EventStore

/// What a function works with: made with the first invocation, and anew when the ledger was put back since. A process
/// of Lambda lives on through a restore.
package actor Opening<Value: Sendable> {
    private static var every: Duration { .seconds(15) }

    private let make: @Sendable () async throws(EventStoreError) -> Value
    private let isCurrent: @Sendable (Value) async throws(EventStoreError) -> Bool
    private let elapsed: @Sendable () -> Duration
    private var once: Once<Value>
    private var compared: Duration?

    /// - Parameters:
    ///   - elapsed: the time by a clock that is never set.
    ///   - isCurrent: whether what was made is of the ledger as it is now; asked every fifteen seconds.
    package init(
        elapsed: @escaping @Sendable () -> Duration,
        isCurrent: @escaping @Sendable (Value) async throws(EventStoreError) -> Bool,
        _ make: @escaping @Sendable () async throws(EventStoreError) -> Value
    ) {
        (self.make, self.isCurrent, self.elapsed) = (make, isCurrent, elapsed)
        once = Once(make)
    }

    /// The value.
    ///
    /// - Throws: what making it or comparing it threw.
    package func value() async throws(EventStoreError) -> Value {
        let value = try await once.value()
        let now = elapsed()
        guard let compared else {
            compared = now
            return value
        }
        if now - compared < Self.every { return value }
        if try await isCurrent(value) {
            self.compared = now
            return value
        }
        (once, self.compared) = (Once(make), nil)
        return try await once.value()
    }
}
