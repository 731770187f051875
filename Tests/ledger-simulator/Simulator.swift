import ArgumentParser
import Glibc
import Simulation

/// `ledger-simulator`: runs the whole pipeline in virtual time, with every fault, from a seed.
@main
struct Simulator: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger-simulator",
        abstract: "Runs the ledger in virtual time with every fault, from a seed.",
        discussion: """
            A run that fails is printed with its seed, the fewest faults with which it still fails, and the command \
            that repeats it. Exit code 1 when a run failed, or when something was never seen that should have been.

            EXAMPLES
              ledger-simulator --seconds 120
              ledger-simulator --seed 7 --steps 5000 --trace
              ledger-simulator --seed 7 --seeds 200 --mutant gapSkipped
            """)

    @Option(help: "The first seed; one by chance unless given.") var seed: UInt64?
    @Option(help: "How many seeds are run, one after the other.") var seeds: Int?
    @Option(help: "For how many seconds seeds are run.") var seconds: Int?
    @Option(help: "The most steps before the faults end.") var steps = 5_000
    @Flag(help: "Print every step.") var trace = false
    @Option(help: "The chances at which faults may strike, with commas between them; all unless given.")
    var faults: String?
    @Option(help: "A bug to plant: \(Mutant.allCases.map(\.rawValue).joined(separator: ", ")).") var mutant: Mutant?

    func validate() throws {
        guard steps > 0, seeds ?? 1 > 0, seconds ?? 1 > 0 else {
            throw ValidationError("--steps, --seeds and --seconds are at least 1")
        }
        guard faults == nil || faults.map(Self.chances) ?? nil != nil else {
            throw ValidationError("--faults is a list of numbers such as 12,57")
        }
    }

    /// How many runs see everything that there is to see.
    private static let enoughRuns = 500

    private static func chances(_ text: String) -> Set<UInt64>? {
        let numbers = text.split(separator: ",").map { UInt64($0) }
        return numbers.contains(nil) ? nil : Set(numbers.compactMap(\.self))
    }

    func run() throws {
        let clock = ContinuousClock()
        // By chance and not by the clock: two programs that begin in one second are to run other seeds.
        let (began, first) = (clock.now, seed ?? .random(in: 1 ... .max >> 1))
        print("the first seed is \(first)")
        fflush(nil)
        var (steps, runs, appointments) = (0, 0, 0)
        var digest: UInt64 = 0
        var sightings: [Sighting: Int] = [:]
        // One seed unless a number or a time is given.
        while runs < seeds ?? (seconds == nil ? 1 : .max), began.duration(to: clock.now) < .seconds(seconds ?? .max / 2)
        {
            var plan = Plan(seed: first &+ UInt64(runs), steps: self.steps, mutant: mutant)
            plan.isTraced = trace
            plan.allowed = faults.flatMap(Self.chances)
            let outcome = try Simulation.run(plan)
            runs += 1
            steps += outcome.steps
            appointments += outcome.appointments
            digest = SplitMix.mix(digest ^ outcome.digest)
            sightings.merge(outcome.sightings) { $0 + $1 }
            for line in outcome.lines { print(line) }
            if outcome.violation != nil { try report(outcome) }
        }
        let duration = began.duration(to: clock.now).components
        let elapsed = Double(duration.seconds) + Double(duration.attoseconds) * 1e-18
        print("seeds \(first) to \(first &+ UInt64(runs - 1)), digest \(String(digest, radix: 16))")
        print("\(runs) seeds, \(steps) steps, \(appointments) appointments, \(Int(Double(steps) / elapsed)) steps/s")
        for sighting in Sighting.allCases { print("  \(sighting.rawValue) \(sightings[sighting] ?? 0)") }
        let unseen = Sighting.allCases.filter { sightings[$0] == nil }
        // Fewer runs may miss something by chance.
        if runs >= Self.enoughRuns, !unseen.isEmpty {
            print("never seen: \(unseen.map(\.rawValue).joined(separator: ", "))")
            throw ExitCode.failure
        }
    }

    private func report(_ failing: Outcome) throws {
        print("seed \(failing.plan.seed) failed after \(failing.steps) steps: \(failing.violation ?? "")")
        // Shrinking takes a while: what is known is shown before.
        fflush(nil)
        let shrunk = faults == nil ? try Shrinker().shrink(failing) : failing
        print("with \(shrunk.strikes.count) of \(failing.strikes.count) faults: \(shrunk.violation ?? "")")
        for strike in shrunk.strikes { print("  \(strike.chance) \(strike.fault)") }
        let chances = shrunk.strikes.map { String($0.chance) }.joined(separator: ",")
        print(
            "repeat: ledger-simulator --seed \(failing.plan.seed) --steps \(failing.plan.steps) --trace"
                + (mutant.map { " --mutant \($0.rawValue)" } ?? "") + " --faults \(chances.isEmpty ? "0" : chances)")
        throw ExitCode.failure
    }
}

extension Mutant: ExpressibleByArgument {}
