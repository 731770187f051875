import Appointments
import ArgumentParser
import EventStore
import PostgresEngine

/// `ledger countries`: the countries' databases in PostgreSQL, and whose they are.
struct CountriesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "countries",
        abstract: "Shows which ledger the countries' databases in PostgreSQL belong to, and takes one over.",
        discussion: """
            A country's database belongs to the ledger that claims slots there, and to an epoch of it: a ledger that \
            was put back to an older copy begins a new one. Until somebody has said that both fit together, nothing is \
            claimed or given back, and requests wait.

            EXAMPLES
              ledger countries status
              ledger countries adopt --country PE --dry-run
            """,
        subcommands: [Status.self, Adopt.self])

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows whose each database is; exits with 3 when one is not this ledger's.",
            discussion: """
                EXAMPLE
                  ledger countries status --format json
                """)

        @OptionGroup var options: SharedOptions

        func run() async throws {
            let ledger = try await options.open()
            var printer = options.printer(["countryISO", "ledger", "epoch", "state", "holders", "unknown"])
            var areOurs = true
            for look in try await CountryLook.all(in: ledger, nil) {
                try printer.row { $0.country(look) }
                if look.standing != .following { areOurs = false }
            }
            try printer.finish()
            if !areOurs { throw ExitCode(3) }
        }
    }

    struct Adopt: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Has a country's database belong to this ledger and its epoch.",
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

        func run() async throws {
            let ledger = try await options.open()
            let looks = try await CountryLook.all(in: ledger, country)
            var printer = options.printer(["countryISO", "ledger", "epoch", "state", "holders", "unknown"])
            for look in looks { try printer.row { $0.country(look) } }
            try printer.finish()
            let others = looks.filter { $0.standing != .following }
            if others.isEmpty { return report("ledger: they are this ledger's already") }
            let identity = ledger.identity
            let names = others.map { look in
                look.country.code + (look.unknown > 0 ? " (\(look.unknown) holders are unknown here)" : "")
            }
            let what = "the databases of \(names.joined(separator: ", ")) will be those of ledger \(identity)"
            if dryRun { return report("ledger: \(what)") }
            try consent.ask(what)
            for look in others {
                guard try await look.database.adopt(by: identity, from: look.found) else {
                    throw Refusal("the database of \(look.country.code) was taken over meanwhile: look again")
                }
            }
            report("ledger: done; requests that waited go on")
        }
    }
}

/// What a country's database says of itself, next to what the ledger knows.
private struct CountryLook {
    let country: Country
    let database: PostgresCountryDatabase
    let found: PostgresCountryDatabase.Belonging
    let standing: PostgresCountryDatabase.Standing
    /// How many appointments hold slots there, and how many of them the ledger does not know.
    let holders: Int
    let unknown: Int

    /// - Throws: a refusal when no database is configured.
    static func all(in ledger: OpenLedger, _ wanted: Country?) async throws -> [CountryLook] {
        var looks: [CountryLook] = []
        for country in Country.allCases where wanted == nil || country == wanted {
            guard let database = ledger.countryPools.database(of: country) else { continue }
            let found = try await database.belonging()
            let standing = try await database.standing(found)
            var (count, unknown, after) = (0, 0, ScheduleID?.none)
            while let slots = try await ledger.countryPools.page(of: country, after: after), let last = slots.last {
                for holder in slots.compactMap(\.holder) {
                    count += 1
                    if try await ledger.store.read(holder.stream).isEmpty { unknown += 1 }
                }
                after = last.slot.schedule
            }
            looks.append(
                CountryLook(
                    country: country, database: database, found: found, standing: standing, holders: count,
                    unknown: unknown))
        }
        if looks.isEmpty {
            throw Refusal("no country has a database in PostgreSQL: set RDS_URL, \(Country.list { "RDS_URL_\($0)" })")
        }
        return looks
    }
}

extension JSONWriter {
    fileprivate mutating func country(_ look: CountryLook) {
        object {
            $0.member("countryISO", look.country.code)
            $0.member("ledger", look.found.owner.map { "\($0.id)" })
            $0.member("epoch", look.found.owner?.epoch)
            $0.member("state", look.standing.rawValue)
            $0.member("holders", look.holders)
            $0.member("unknown", look.unknown)
        }
    }
}
