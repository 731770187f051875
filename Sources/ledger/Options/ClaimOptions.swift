import ArgumentParser
import Replay

/// How the claims of the countries' databases are compared.
struct ClaimOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How many seconds a failed appointment may go on holding its slot before that is a finding; 0 once nothing "
                + "is under way, such as while the server is stopped.", valueName: "seconds"))
    var patience = ClaimCheck.patienceMilliseconds / 1000

    func validate() throws {
        guard (0...86_400).contains(patience) else { throw ValidationError("--patience is 0 to 86400 seconds") }
    }
}
