import ArgumentParser
import Glibc

/// The user's word for what can't be undone.
struct ConsentOptions: ParsableArguments {
    @Flag(help: "Do it without asking.") var yes = false

    /// Asks on a terminal; elsewhere nobody can answer, and --yes is needed.
    ///
    /// - Parameter what: what will be done, as a clause.
    /// - Throws: a refusal unless the answer is yes.
    func ask(_ what: String) throws {
        if yes { return }
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else {
            throw Refusal("\(what): nothing was done; add --yes to do it")
        }
        prompt("ledger: \(what). Go on? [y/N] ")
        guard let answer = readLine(), ["y", "yes"].contains(answer.lowercased()) else {
            throw Refusal("nothing was done")
        }
    }

    private func prompt(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
