import Appointments
import ArgumentParser
import PostgresEngine

/// `ledger countries adopt`.
struct AdoptCountries: Verb {
    static let configuration = CommandConfiguration(
        commandName: "adopt", abstract: "Has a country's database belong to this ledger and its epoch.",
        discussion: """
            Counts the appointments that hold slots there, and those of them that the ledger does not know; then \
            it asks. Slots that such appointments hold stay taken until `ledger repair --countries` gives them \
            back, and a booked appointment may lack its claim: `ledger verify` names both.

            EXAMPLES
              ledger countries adopt --dry-run
              ledger countries adopt --country PE --yes
            """)

    @Option(help: "Only this country, \(Country.list).", transform: Reading.country) var country: Country?
    @Flag(help: "Say what would be done, change nothing.") var dryRun = false
    @OptionGroup var consent: ConsentOptions
    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        let looks = try await CountryLook.all(in: ledger, country)
        try options.print(looks, in: shell)
        let others = looks.filter { $0.standing != .following }
        if others.isEmpty { return shell.tell("they are this ledger's already") }
        let identity = ledger.identity
        let names = others.map { look in
            look.country.code + (look.unknown > 0 ? " (\(look.unknown) holders are unknown here)" : "")
        }
        let what = "the databases of \(names.joined(separator: ", ")) will be those of ledger \(identity)"
        if dryRun { return shell.tell("\(what)") }
        try consent.ask(what, in: shell)
        for look in others {
            guard try await look.database.adopt(by: identity, from: look.found) else {
                throw Refusal("the database of \(look.country.code) was taken over meanwhile: look again")
            }
        }
        shell.tell("done; requests that waited go on")
    }
}
