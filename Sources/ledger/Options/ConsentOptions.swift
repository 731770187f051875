import ArgumentParser
import Glibc
import HostSystem

/// The user's word for what can't be undone.
struct ConsentOptions: ParsableArguments {
    @Flag(help: "Do it without asking.") var yes = false

    /// Asks on a terminal; elsewhere nobody can answer, and --yes is needed.
    ///
    /// - Parameter what: what will be done, as a clause.
    /// - Throws: a refusal unless the answer is yes.
    func ask(_ what: String, in shell: Shell) throws {
        if yes { return }
        guard shell.isInteractive else {
            throw Refusal("\(what): nothing was done; add --yes to do it")
        }
        StandardStreams.offer(Array("ledger: \(what). Go on? [y/N] ".utf8), to: STDERR_FILENO)
        guard let answer = readLine(), ["y", "yes"].contains(answer.lowercased()) else {
            throw Refusal("nothing was done")
        }
    }
}
