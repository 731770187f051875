import Appointments
import EventStore
import HostSystem
import Logging
import PostgresEngine

/// The countries whose clinical database is in PostgreSQL, because the environment names it. The others keep their
/// slots in the ledger's own file.
struct CountryPools: Sendable {
    private let pools: [Country: PostgresPool]
    /// Sessions that give up soon: whoever asks how the ledger is doing does not wait for a server that is away.
    private let impatientPools: [Country: PostgresPool]
    /// Whose claims these databases have to hold.
    private let owner: CountryOwner

    /// Those that the variables of an environment name.
    ///
    /// - Parameter secrets: reads a password that is named and not given.
    /// - Throws: `invalid`, with the variable and what to do.
    static func settings(
        in environment: [String: String], secrets: PostgresSettings.SecretReader?
    ) throws(EventStoreError) -> [Country: PostgresSettings] {
        var settings: [Country: PostgresSettings] = [:]
        for country in Country.allCases {
            settings[country] = try PostgresSettings(.country(country), environment: environment, secrets: secrets)
        }
        return settings
    }

    /// The databases of a ledger. Two countries with one database share its sessions. A database that belongs to none
    /// becomes this ledger's if the ledger knows the appointments that hold its slots.
    init(_ settings: [Country: PostgresSettings], of identity: LedgerIdentity, _ store: any StreamReader) {
        owner = CountryOwner(identity, store: store)
        pools = Self.shared(settings) { PostgresPool($0, random: System.number) }
        impatientPools = Self.shared(settings) { settings in
            var settings = settings
            (settings.connectMilliseconds, settings.statementMilliseconds) = (1000, 1000)
            return PostgresPool(settings, size: 1, patienceMilliseconds: 1000, random: System.number)
        }
    }

    private static func shared(
        _ settings: [Country: PostgresSettings], _ make: (PostgresSettings) -> PostgresPool
    ) -> [Country: PostgresPool] {
        var made: [String: PostgresPool] = [:]
        return settings.mapValues { settings in
            let pool = made[settings.summary] ?? make(settings)
            made[settings.summary] = pool
            return pool
        }
    }

    func contains(_ country: Country) -> Bool { pools[country] != nil }

    /// The database of a country; nil when it is not in PostgreSQL.
    func database(of country: Country) -> PostgresCountryDatabase? {
        pools[country].map { PostgresCountryDatabase($0, country, owner: owner) }
    }

    /// Slots of a country, whosever its database is; nil when it is not in PostgreSQL.
    func page(of country: Country, after schedule: ScheduleID?) async throws(EventStoreError) -> [ScheduleRow]? {
        guard let pool = pools[country] else { return nil }
        return try await PostgresCountryDatabase(pool, country).schedules(after: schedule, limit: 500)
    }

    /// The same databases, for whoever asks whether they answer.
    var probes: [Country: any CountryDatabase] {
        var strict = owner
        strict.isStrict = true
        return impatientPools.reduce(into: [:]) {
            $0[$1.key] = PostgresCountryDatabase($1.value, $1.key, owner: strict)
        }
    }

    /// Adds slots of these countries: all of one database or none of it.
    func add(_ slots: [CountrySlot], _ admission: SlotAdmission) async throws(EventStoreError) {
        for country in Set(slots.map(\.country)) { try await database(of: country)?.requireOwner() }
        var left = slots
        while let first = left.first, let pool = pools[first.country] {
            try await PostgresCountryDatabase.add(
                left.filter { pools[$0.country] === pool }, to: pool, admission: admission)
            left.removeAll { pools[$0.country] === pool }
        }
    }

    /// Compares schemas and owners. A database that does not answer is left for later: requests wait for it, as they do
    /// for one of another epoch until somebody has said which side is right.
    ///
    /// - Throws: `invalid` when a schema is not this program's, or a database is another ledger's, with what to do.
    func check(_ logger: Logger) async throws(EventStoreError) {
        for (country, pool) in pools.sorted(by: { $0.key.code < $1.key.code }) {
            do throws(EventStoreError) {
                try await Migrator(pool, Migrator.steps(of: .country(country))).check()
                try await database(of: country)?.requireOwner()
            } catch {
                if error.cause is OtherPast {
                    logger.error(
                        "a country's database is of another past; its requests wait",
                        metadata: ["country": "\(country.code)", "error": "\(error.message)"])
                    continue
                }
                try error.throwUnlessUnavailable()
                logger.warning(
                    "a country's database does not answer; its requests wait for it",
                    metadata: ["country": "\(country.code)", "error": "\(error)"])
            }
        }
    }
}
