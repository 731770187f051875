/// A seed whose run failed once, and what that brought to light. Seeds are added here, never taken away.
struct FailedSeed: Sendable, CustomStringConvertible {
    let seed: UInt64
    let steps: Int
    let found: String

    var description: String { "seed \(seed)" }

    static let all: [FailedSeed] = [
        FailedSeed(
            seed: 1_795_644_859, steps: 5000,
            found: "a claim that reached the country an hour late held a slot for an appointment that had failed"),
        FailedSeed(
            seed: 1_796_074_773, steps: 5000,
            found: "a mirror that was put back while a worker compared passed over events that it had lost"
        ),
    ]
}
