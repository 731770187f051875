import Appointments
import EventStore
import Handlers
import HostSystem
import Logging
import PostgresEngine
import Projections
import Replay
import SQLiteEngine

extension Ledger {
    /// What to do where there is no ledger yet.
    enum Creation {
        case refuse
        case create(demoSlots: Bool)
    }

    /// Opens the ledger in a directory. One that was put back to an older copy begins a new epoch. The environment says
    /// which countries have a database elsewhere, and where the mirror is.
    ///
    /// - Throws: `invalid` when there is none, it is another than was seen here, its key file is missing or another's,
    ///   or the environment names a database that can't be; `unavailable`; `corrupt`.
    static func embedded(
        _ directory: String, _ creation: Creation = .refuse, in shell: Shell, _ logger: Logger
    ) async throws(EventStoreError) -> Ledger {
        let secrets = try PostgresSettings.passwords(of: shell.environment)
        let countries = try CountryPools.settings(in: shell.environment, secrets: secrets)
        let mirrored = try PostgresSettings(.ledger, environment: shell.environment, secrets: secrets)
        var files = try await EmbeddedFiles.open(directory, creation, logger)
        let (file, identity, store) = (files.file, files.identity, SQLiteEventStore(files.file))
        let pools = CountryPools(countries, of: identity, store)
        if case .create(demoSlots: true) = creation {
            try await files.makeDemoSlots(Country.allCases.filter { !pools.contains($0) })
        }
        let mirror = mirrored.map { Mirror($0, of: identity) }
        let (subjects, persons) = (SQLiteSubjectDirectory(file), PersonKeys(files.keyRing))
        let (views, messaging, kept) = (SQLiteAppointmentView(file), files.messaging, SQLiteAccessLog(file))
        let trail: any AccessLog =
            file.isReadOnly
            ? UnrecordedAccesses(kept: kept) {
                shell.tell("that you looked is not recorded, since this ledger can only be read")
            } : kept
        let performer = Performer(
            store: store, subjects: SubjectKeys(directory: subjects, keys: persons, random: System.random),
            countries: Country.allCases.reduce(into: [:]) { countries, country in
                let elsewhere: (any CountryDatabase)? = pools.database(of: country)
                countries[country] = elsewhere ?? SQLiteCountryDatabase(file, country)
            },
            topics: messaging, bus: messaging, now: System.now)
        return Ledger(
            identity: identity, engine: .embedded(files), store: store, feed: store, views: views, rows: views,
            viewSets: SQLiteViewCopies(file, keys: persons), progress: ViewProgress(feed: store, checkpoints: views),
            queues: Dictionary(uniqueKeysWithValues: QueueName.allCases.map { ($0, messaging.queue($0)) }),
            deadLetters: messaging, sweepLog: SQLiteSweepLog(file), apiKeys: SQLiteAPIKeys(file),
            people: PersonResolver(directory: subjects, keys: persons), performer: performer, secrets: files.keyRing,
            countryPools: pools, mirror: mirror,
            log: mirror.map { MirroredLog(mirror: $0.reader, store: store, identity: identity) } ?? store,
            numbered: store, keepsPositions: true, trail: mirror?.trail(otherwise: trail, store) ?? trail,
            records: [kept])
    }
}
