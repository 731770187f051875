import ArgumentParser
import PostgresEngine

/// `ledger countries status`.
struct ShowCountries: Verb {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows whose each database is; exits with 3 when one is not this ledger's.",
        discussion: """
            EXAMPLE
              ledger countries status --format json
            """)

    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let looks = try await CountryLook.all(in: try await options.open(in: shell), nil)
        try options.print(looks, in: shell)
        if looks.contains(where: { $0.standing != .following }) { throw ExitCode(3) }
    }
}
