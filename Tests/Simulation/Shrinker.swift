package import EventStore
import Handlers

/// Finds the fewest faults with which a run still fails.
///
/// Delta debugging (Zeller, Hildebrandt: Simplifying and Isolating Failure-Inducing Input, 2002): leaves out ever
/// smaller parts of the fault schedule and keeps what still fails.
package struct Shrinker {
    /// How many runs it takes at most.
    private let maximumRuns: Int

    package init(maximumRuns: Int = 400) { self.maximumRuns = maximumRuns }

    /// The failing outcome with the fewest faults that were found, which may be the one given.
    ///
    /// - Throws: what `Simulation.run` throws.
    package func shrink(_ failing: Outcome) throws(EventStoreError) -> Outcome {
        var best = failing
        var runs = 0
        var parts = 2
        while runs < maximumRuns {
            let strikes = best.strikes.map(\.chance)
            if strikes.isEmpty { break }
            parts = min(parts, strikes.count)
            let size = (strikes.count + parts - 1) / parts
            var hasShrunk = false
            for start in stride(from: 0, to: strikes.count, by: size) where runs < maximumRuns {
                var plan = best.plan
                plan.allowed = Set(strikes).subtracting(strikes[start..<min(start + size, strikes.count)])
                runs += 1
                let outcome = try Simulation.run(plan)
                guard outcome.violation != nil, outcome.strikes.count < best.strikes.count else { continue }
                best = outcome
                hasShrunk = true
                break
            }
            if hasShrunk {
                parts = max(parts - 1, 2)
            } else if size == 1 {
                break
            } else {
                parts *= 2
            }
        }
        return best
    }
}
