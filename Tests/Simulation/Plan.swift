import Handlers

/// What a run is to be: everything that it depends on.
package struct Plan: Sendable {
    package var seed: UInt64
    /// How many steps the first phase has at most.
    package var steps: Int
    /// The bug that is planted in a seam; nil for the program as it is.
    package var mutant: Mutant?
    /// The chances at which faults may strike; nil for all.
    package var allowed: Set<UInt64>?
    /// Whether the lines of the trace are kept.
    package var isTraced = false

    package init(seed: UInt64, steps: Int = 5_000, mutant: Mutant? = nil, allowed: Set<UInt64>? = nil) {
        (self.seed, self.steps, self.mutant, self.allowed) = (seed, steps, mutant, allowed)
    }
}

/// How a run went.
package struct Outcome: Sendable {
    package let plan: Plan
    package let steps: Int
    package let appointments: Int
    /// Virtual milliseconds from the first request to rest.
    package let virtualMilliseconds: Int64
    /// What was violated; nil when nothing was.
    package let violation: String?
    /// A digest of every step with its time, place and result.
    package let digest: UInt64
    package let strikes: [Strike]
    package let sightings: [Sighting: Int]
    package let lines: [String]
}
