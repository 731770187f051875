import AWSEngine
import Appointments
import EventStore
import HTTPClient
import Handlers
import HostSystem
import Logging
import PostgresEngine
import Projections
import Replay

extension Ledger {
    /// Opens the ledger on AWS that the environment names. One that was put back to an older copy begins a new epoch.
    ///
    /// - Throws: `invalid` when a setting is missing or wrong or the tables are of two ledgers, with what to do;
    ///   `unavailable`; `corrupt`.
    static func onAWS(in shell: Shell, _ logger: Logger) async throws(EventStoreError) -> Ledger {
        let aws = try AWSLedger.of(shell.environment)
        let countries = try CountryPools.settings(in: shell.environment, secrets: aws.passwords)
        let mirrored = try PostgresSettings(.ledger, environment: shell.environment, secrets: aws.passwords)
        let keyRing = try await aws.keyRing()
        let identity = try await aws.recognize(logger)
        let pools = CountryPools(countries, of: identity, aws.store)
        let mirror = mirrored.map { Mirror($0, of: identity) }
        let (persons, log, trail) = (PersonKeys(keyRing), aws.log(), aws.trail(random: System.number))
        let databases = Country.allCases.reduce(into: [Country: any CountryDatabase]()) { databases, country in
            databases[country] = pools.database(of: country)
        }
        // The mirror has positions of its own: what is beyond it is not asked of the store.
        let numbered = mirror.map {
            MirrorNumberedLog(mirror: $0.reader, store: aws.store, identity: identity, compares: true)
        }
        return Ledger(
            identity: identity, engine: .aws(aws, persons), store: log, feed: nil, views: aws.views,
            rows: aws.orderedViews(), viewSets: aws.viewSets(persons),
            progress: ViewProgress(behindChangeStream: aws.views), queues: aws.queues, deadLetters: aws.deadLetters,
            sweepLog: aws.sweepLog, apiKeys: aws.apiKeys, people: aws.people(persons),
            performer: aws.performer(persons, countries: databases, random: System.random),
            secrets: try await aws.secrets(keyRing), countryPools: pools, mirror: mirror, log: numbered ?? log,
            numbered: numbered ?? log, keepsPositions: numbered != nil,
            trail: mirror?.trail(otherwise: trail, aws.store) ?? trail, records: [trail])
    }
}

extension AWSLedger {
    /// The ledger's parts on AWS as an environment names them.
    ///
    /// - Throws: `invalid` when a setting is missing or wrong, with what to do.
    static func of(_ environment: [String: String]) throws(EventStoreError) -> AWSLedger {
        try AWSLedger(
            environment: environment,
            pool: ConnectionPool(ConnectionPool.Settings(certificates: environment["AWS_CA_BUNDLE"])),
            clock: AWSClock(
                now: System.now, uptime: Alarm.real.uptime, sleep: System.sleep, random: System.number))
    }

    /// Reads the passwords that are parameters of the Parameter Store.
    var passwords: PostgresSettings.SecretReader {
        { [parameters] name throws(EventStoreError) in try await parameters.value(of: name) }
    }
}

extension PostgresSettings {
    /// Reads the passwords that an environment names by `RDS_PASSWORD_PARAMETER`; nil when it names none.
    ///
    /// - Throws: `invalid` when it names one and says nothing of AWS, with what to do.
    static func passwords(of environment: [String: String]) throws(EventStoreError) -> SecretReader? {
        let isNamed = environment.contains { $0.key.hasPrefix("RDS_PASSWORD_PARAMETER") && !$0.value.isEmpty }
        return isNamed ? try AWSLedger.of(environment).passwords : nil
    }
}
