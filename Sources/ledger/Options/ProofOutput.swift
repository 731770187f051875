import ArgumentParser
import EventStore
import HostSystem

/// Where a proof goes.
struct ProofOutput: ParsableArguments {
    @Option(name: .shortAndLong, help: "The file to write; standard output without it.") var output: String?

    func write(_ bytes: [UInt8], in shell: Shell) throws {
        guard let output else { return try shell.write(bytes) }
        try DurableFile(output).replace(with: bytes)
        shell.tell("wrote \(output)")
    }
}
