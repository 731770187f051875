/// Keeps to a number of things a second.
package struct Pace: Sendable {
    private let rate: Int?
    private let now: @Sendable () -> Duration
    private let sleep: @Sendable (Duration) async throws -> Void
    private let start: Duration

    /// - Parameter rate: how many a second at most; any number without it.
    /// - Parameter now: a clock that never goes back.
    /// - Parameter sleep: waits for so long.
    package init(
        _ rate: Int?, now: @escaping @Sendable () -> Duration,
        sleep: @escaping @Sendable (Duration) async throws -> Void
    ) {
        (self.rate, self.now, self.sleep, start) = (rate, now, sleep, now())
    }

    /// How many may go together: those of a quarter of a second.
    package var share: Int { rate.map { max($0 / 4, 1) } ?? .max }

    /// Waits until so many may have gone since it began.
    package func wait(after count: Int) async throws {
        guard let rate else { return }
        let left = start + .seconds(Double(count) / Double(rate)) - now()
        if left > .zero { try await sleep(left) }
    }
}
