import Synchronization

/// Who is waiting for an answer of the API, so that the pumps of the same process give way to a crowd.
///
/// What a caller waits for is not durable yet; what a pump works on is, and can wait a moment.
package final class Callers: Sendable {
    /// From so many callers on the pumps pause between batches.
    private static let crowd = 8
    /// How long a pump pauses, in milliseconds: it still gets a fair share of the machine.
    private static let pauseMilliseconds: Int64 = 80

    private let waiting = Atomic<Int>(0)

    package init() {}

    /// Counts a caller for as long as `body` runs.
    package func waiting<Value>(
        for body: () async throws -> Value
    ) async rethrows -> Value {
        waiting.wrappingAdd(1, ordering: .relaxed)
        defer { waiting.wrappingSubtract(1, ordering: .relaxed) }
        return try await body()
    }

    /// Pauses while there is a crowd; at most once a batch.
    func giveWay(_ stop: Stop) async {
        if waiting.load(ordering: .relaxed) >= Self.crowd { await stop.sleep(milliseconds: Self.pauseMilliseconds) }
    }
}
