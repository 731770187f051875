import ArgumentParser
import EventStore
import LogService
import TransparencyLog

/// `ledger prove consistency`.
struct ProveConsistency: Verb {
    static let configuration = CommandConfiguration(
        commandName: "consistency",
        abstract: "Proves that the log of a size goes on from an older size, with nothing changed or taken away.",
        discussion: """
            For whoever kept a checkpoint of the older size: the line `old` of the proof has that size and root.

            EXAMPLES
              ledger prove consistency --from 1000 -o growth.proof
              ledger prove consistency --from 1000 --to 5000
            """)

    @Option(help: "The older size.") var from: Int
    @Option(help: "The newer size; that of the last checkpoint without it.") var to: Int?
    @OptionGroup var output: ProofOutput
    @OptionGroup var options: SharedOptions

    func validate() throws {
        if from < 0 { throw ValidationError("--from is 0 or more") }
        if let to, to < from { throw ValidationError("--to is \(from), as --from, or more") }
    }

    func run(in shell: Shell) async throws {
        let (_, log, last) = try await options.openSigned(in: shell)
        guard let proof = try await log.served.consistency(from: from, to: to, at: last) else {
            throw Refusal(
                """
                the last checkpoint has size \(last.checkpoint.size): \(to == nil ? "--from" : "--from and --to") \
                can't be more. `ledger checkpoint sign` signs what is new
                """)
        }
        try output.write(proof.bytes, in: shell)
    }
}
