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
        FailedSeed(
            seed: 1_550_738_597_640_458_497, steps: 5000,
            found: "the simulator counted as hidden an hour in which a message could be received, after a clock step"),
    ]
}
