import Foundation
import Simulation
import Testing

/// Runs something on a thread of its own: a simulation fills the thread that it runs on.
private func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread { continuation.resume(with: Result(catching: body)) }.start()
    }
}

@Suite struct SimulationTests {
    /// What the simulator prints that was built beside these tests.
    private static func output(_ arguments: String) async throws -> String {
        let bundle = try #require(
            CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments.first)
        let program = URL(fileURLWithPath: bundle).deletingLastPathComponent().appending(path: "ledger-simulator").path
        return try await onThread {
            guard let pipe = popen("\(program) \(arguments) 2>&1", "r") else { return "no pipe" }
            defer { pclose(pipe) }
            var text = ""
            var line = [CChar](repeating: 0, count: 4096)
            while fgets(&line, 4096, pipe) != nil {
                text += String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            }
            return text
        }
    }

    @Test("a seed makes the same run twice, to the last step", arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func repeats(seed: UInt64) async throws {
        let runs = try await onThread { try (0..<2).map { _ in try Simulation.run(Plan(seed: seed)) } }
        #expect(runs[0].digest == runs[1].digest)
        #expect(runs[0].steps == runs[1].steps)
        #expect(runs[0].steps > 1_000)
    }

    @Test("a seed makes the same run in another process, whose hash tables have another order")
    func repeatsElsewhere() async throws {
        let one = try await Self.output("--seed 11 --seeds 3")
        let other = try await Self.output("--seed 11 --seeds 3")
        let digests = [one, other].map { $0.split(separator: "\n").first { $0.hasPrefix("seeds") } }
        #expect(digests[0] != nil, "\(one)")
        #expect(digests[0] == digests[1])
    }

    @Test("a planted bug is found within 200 seeds", arguments: Mutant.allCases)
    func mutant(mutant: Mutant) async throws {
        let found = try await onThread { () throws -> String? in
            for seed in 1...200 as ClosedRange<UInt64> {
                let outcome = try Simulation.run(Plan(seed: seed, mutant: mutant))
                if let violation = outcome.violation { return violation }
            }
            return nil
        }
        #expect(found != nil, "200 seeds ran, and nobody noticed \(mutant)")
    }

    @Test("the fault schedule of a failing run is shrunk, and what is left still fails")
    func shrinks() async throws {
        let (failing, shrunk) = try await onThread {
            var seed: UInt64 = 1
            var failing = try Simulation.run(Plan(seed: seed, mutant: .deadLetterDropped))
            while failing.violation == nil {
                seed += 1
                failing = try Simulation.run(Plan(seed: seed, mutant: .deadLetterDropped))
            }
            return (failing, try Shrinker(maximumRuns: 60).shrink(failing))
        }
        #expect(shrunk.strikes.count < failing.strikes.count)
        let again = try await onThread { try Simulation.run(shrunk.plan) }
        #expect(again.violation != nil)
        #expect(again.digest == shrunk.digest)
    }

    @Test("a seed that failed once does not fail again", arguments: FailedSeed.all)
    func regression(failed: FailedSeed) async throws {
        let outcome = try await onThread { try Simulation.run(Plan(seed: failed.seed, steps: failed.steps)) }
        #expect(outcome.violation == nil, "\(failed.found)")
    }

    @Test("forty seeds see everything that can go wrong")
    func sightings() async throws {
        let output = try await Self.output("--seed 1 --seeds 40")
        let lines = output.split(separator: "\n")
        for sighting in Sighting.allCases {
            let line = try #require(lines.first { $0.hasPrefix("  \(sighting.rawValue) ") }, "\(output)")
            #expect(!line.hasSuffix(" 0"), "\(line): change the seeds, or what keeps it from happening")
        }
    }

    /// Half a minute, or what `LEDGER_TEST_SIMULATION_SECONDS` names. Whether everything that can go wrong was seen is
    /// asked of forty fixed seeds above: how many fresh ones there is time for depends on the machine.
    @Test("fresh seeds find nothing")
    func freshSeeds() async throws {
        let seconds = ProcessInfo.processInfo.environment["LEDGER_TEST_SIMULATION_SECONDS"].flatMap { Int($0) } ?? 30
        let output = try await Self.output("--seconds \(seconds)")
        print(output)
        #expect(!output.contains("failed"), "\(output)")
        #expect(output.contains("steps/s"), "\(output)")
    }
}
