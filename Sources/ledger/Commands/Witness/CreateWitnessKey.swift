import ArgumentParser
import EventStore
import HostSystem
import TransparencyLog

/// `ledger witness key`: makes the key that a witness signs with.
struct CreateWitnessKey: Verb {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Makes a witness' key and prints its verifier key.",
        discussion: """
            The file is a secret: only its owner may read it, and a file that is there is never overwritten. Give \
            the verifier key to those who run logs and to those who check them.

            EXAMPLE
              ledger witness key --name witness.example.org/w1 -o witness.key
            """)

    @Option(help: "Names the witness under its signatures, such as witness.example.org/w1.") var name: String
    @Option(name: [.customShort("o"), .customLong("output")], help: "The file to make.") var output: String

    func run(in shell: Shell) async throws {
        let key: SigningKey
        do throws(TransparencyError) {
            key = try SigningKey(name: name, type: .cosignature, seed: System.random(32))
        } catch {
            throw ValidationError("--name: \(error.message)")
        }
        try DurableFile(output, subject: "the key file \(output)").create(Array("\(key.secretText)\n".utf8))
        try shell.write(Array("\(key.verifier)\n".utf8))
    }
}
