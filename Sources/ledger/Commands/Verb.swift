import ArgumentParser

/// A verb of the command line. What it needs of the process comes from its caller, so that a test runs it in its own.
protocol Verb: ParsableCommand {
    func run(in shell: Shell) async throws
}
