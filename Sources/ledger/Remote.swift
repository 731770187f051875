import API
import AWSEngine
import Appointments
import EventStore
import Handlers
import HostSystem
import Logging
import Projections

/// The ledger on AWS, wired for this program: its tables and queues, and the databases that the environment names.
struct Remote: Sendable {
    let ledger: AWSLedger
    /// Which ledger this is, and which epoch of it.
    let identity: LedgerIdentity
    /// The keys of persons that this process has unwrapped.
    let persons: PersonKeys
    /// Those of idempotency keys and cursors.
    let secrets: KeyRing
    let performer: Performer
    /// The countries whose slots this process can book.
    let countryPools: CountryPools
    /// The mirror in PostgreSQL, where the environment names one.
    let mirror: Mirror?

    /// Opens the ledger that an environment names. One that was put back to an older copy begins a new epoch.
    ///
    /// - Throws: `invalid` when a setting is missing or wrong or the tables are of two ledgers, with what to do;
    ///   `unavailable`; `corrupt`.
    static func open(_ environment: [String: String]) async throws(EventStoreError) -> Remote {
        let ledger = try AWSLedger.of(environment)
        let namedCountries = try CountryPools.of(environment, secrets: ledger.passwords)
        let namedMirror = try Mirror.of(environment, secrets: ledger.passwords)
        let keyRing = try await ledger.keyRing()
        let identity = try await ledger.recognize(Logger(label: "ledger"))
        let countryPools = namedCountries.belonging(to: identity, ledger.store)
        let mirror = namedMirror?.belonging(to: identity)
        let databases = Country.allCases.reduce(into: [Country: any CountryDatabase]()) { databases, country in
            databases[country] = countryPools.database(of: country)
        }
        let persons = PersonKeys(keyRing)
        return Remote(
            ledger: ledger, identity: identity, persons: persons,
            secrets: try await ledger.secrets(keyRing),
            performer: ledger.performer(persons, countries: databases, random: System.random),
            countryPools: countryPools, mirror: mirror)
    }

    /// How the ledger is doing. The mirror follows the change stream: how far it lags, a comparison tells.
    func status(_ audit: any AuditLog) -> LedgerStatus {
        LedgerStatus(
            feed: nil, views: ledger.views, checkpoints: ledger.views, control: ledger.views,
            projections: [ProjectionRunner.projection, RouterPump.projection], audit: audit, queues: ledger.queues,
            countries: countryPools.probes, sweeps: ledger.sweepLog, lastRound: ledger.lastRound, now: System.now)
    }

    var people: PersonResolver { ledger.people(persons) }

    /// Brings a mirror up to records of the change stream.
    func runner(into mirror: Mirror) -> MirrorRunner {
        MirrorRunner(
            feed: nil, store: ledger.store, mirror: mirror.worker, people: people,
            identity: mirror.identity)
    }
}
