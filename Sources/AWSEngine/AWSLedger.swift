package import Appointments
package import EventStore
package import HTTPClient
package import Handlers
package import Logging
package import Projections

/// The ledger's parts on AWS, as the environment names them: what the programs wire.
package struct AWSLedger: Sendable {
    package let client: AWSClient
    package let names: AWSNames
    package let store: DynamoDBEventStore
    package let identity: DynamoDBIdentity
    package let views: DynamoDBAppointmentView
    package let sweepLog: DynamoDBSweepLog
    package let apiKeys: DynamoDBAPIKeys
    package let topics: SNSTopics
    package let bus: EventBridgeBus
    package let queues: [QueueName: SQSQueue]
    package let deadLetters: SQSDeadLetters
    /// Reads what a parameter of the Parameter Store holds.
    package let parameters: ParameterStore
    private let directory: DynamoDBSubjectDirectory
    let now: @Sendable () -> Timestamp

    /// - Parameter environment: the variables of the process.
    /// - Throws: `invalid` when a setting is missing or wrong, with what to do.
    package init(
        environment: [String: String], pool: ConnectionPool, clock: AWSClock
    ) throws(EventStoreError) {
        do throws(AWSError) {
            client = try AWSClient(environment: environment, pool: pool, clock: clock)
        } catch {
            throw EventStoreError(.invalid, message: error.message)
        }
        names = AWSNames(environment: environment)
        let (client, names, now) = (client, names, clock.now)
        self.now = now
        store = DynamoDBEventStore(client, tables: names.tables)
        identity = DynamoDBIdentity(client, tables: names.tables)
        views = DynamoDBAppointmentView(client, tables: names.tables)
        sweepLog = DynamoDBSweepLog(client, tables: names.tables)
        apiKeys = DynamoDBAPIKeys(client, tables: names.tables)
        topics = SNSTopics(client, names: names)
        bus = EventBridgeBus(client, name: names.bus)
        queues = Dictionary(
            uniqueKeysWithValues: QueueName.allCases.map { name in
                (name, SQSQueue(client, name, names: names, now: now))
            })
        deadLetters = SQSDeadLetters(client, names: names, now: now)
        directory = DynamoDBSubjectDirectory(client, tables: names.tables)
        parameters = ParameterStore(client)
    }

    /// Opens the ledger's master key with KMS; the first process makes it.
    ///
    /// - Throws: `invalid` when no key is named; `unavailable`; `corrupt`.
    package func keyRing() async throws(EventStoreError) -> KeyRing {
        guard let key = names.key else {
            throw EventStoreError(
                .invalid, message: "no key is named that wraps the persons' keys: set KMS_KEY_ID to one of KMS")
        }
        return try await KMSKeyRing.open(client, tables: names.tables, key: key)
    }

    /// The secret of idempotency keys and cursors: what the parameter holds that `API_KEY_SECRET_NAME` names, else
    /// one of the master key's.
    ///
    /// - Throws: `unavailable`, or `invalid` when the parameter is too short to be a secret.
    package func secrets(_ keyRing: KeyRing) async throws(EventStoreError) -> KeyRing {
        guard let name = names.secretParameter else { return keyRing }
        let secret = Array(try await parameters.value(of: name).utf8)
        guard secret.count >= 16 else {
            throw EventStoreError(.invalid, message: "the parameter \(name) is no secret: it has less than 16 bytes")
        }
        return try KeyRing(master: Hash(of: secret).bytes)
    }

    /// Finds out who an event is about.
    package func people(_ keys: PersonKeys) -> PersonResolver { PersonResolver(directory: directory, keys: keys) }

    /// Carries out what handlers ask for.
    ///
    /// - Parameter random: gives bytes of a cryptographic random generator.
    package func performer(
        _ keys: PersonKeys, countries: [Country: any CountryDatabase],
        random: @escaping @Sendable (_ count: Int) -> [UInt8]
    ) -> Performer {
        Performer(
            store: store, subjects: SubjectKeys(directory: directory, keys: keys, random: random),
            countries: countries, topics: topics, bus: bus, now: now)
    }

    /// Says when a worker last came to the end of the change stream.
    package var lastRound: @Sendable () async throws(EventStoreError) -> Timestamp? {
        let places = ChangePlaces(
            table: DynamoDBTable(client: client, name: names.tables.projections),
            consumer: ChangeConsumer.routerAndViews)
        return { () throws(EventStoreError) in try await places.lastEnd() }
    }

    /// The record of who looked at the events.
    ///
    /// - Parameter random: 64 bits that tell accesses of the same moment apart.
    package func trail(random: @escaping @Sendable () -> UInt64) -> DynamoDBAccessLog {
        DynamoDBAccessLog(client, tables: names.tables, random: random)
    }

    /// Routes the events of the change stream, and brings the view up to them.
    package func streamHandler(_ performer: Performer, _ keys: PersonKeys, logger: Logger) -> ChangeHandler {
        ChangeHandler(
            router: RouterPump(feed: nil, checkpoints: views, performer: performer, logger: logger),
            runner: ProjectionRunner(feed: nil, store: store, views: views, people: people(keys)),
            views: views, control: views)
    }
}
