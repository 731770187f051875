import API
import AWSEngine
import EventStore
import Handlers
import Logging
import Projections

extension AWSLedger {
    /// Answers requests to the API.
    ///
    /// - Parameters:
    ///   - secrets: those of idempotency keys and cursors.
    ///   - people: says who asked, where the view does not.
    ///   - audit: answers auditors.
    ///   - trail: is told who looked.
    ///   - elapsed: the time by a clock that is never set.
    func api(
        _ performer: Performer, secrets: KeyRing, people: PersonResolver, audit: any AuditLog, trail: any AccessLog,
        origins: AllowedOrigins, elapsed: @escaping @Sendable () -> Duration,
        random: @escaping @Sendable (_ count: Int) -> [UInt8], logger: Logger
    ) -> API {
        // Lambda's functions follow the change stream themselves; how far they are, CloudWatch knows (`IteratorAge`).
        let status = LedgerStatus(
            feed: nil, views: views, checkpoints: views, control: views,
            projections: [ProjectionRunner.projection, RouterPump.projection], audit: audit, queues: queues,
            sweeps: sweepLog, now: performer.now)
        return API(
            performer: performer, views: views, log: log(), people: people,
            progress: ViewProgress(behindChangeStream: views), audit: audit, histories: store, trail: trail,
            authenticator: Authenticator(keys: apiKeys), status: StatusWatch(status, memory: .seconds(5)),
            secrets: secrets, origins: origins, elapsed: elapsed, random: random, logger: logger)
    }
}
