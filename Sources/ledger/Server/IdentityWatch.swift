import AWSEngine
import EventStore
import Handlers
import Logging

/// Ends a program on AWS when its ledger was put back while it ran: what works for an epoch that is over must not go
/// on.
struct IdentityWatch: Sendable {
    private static let pauseMilliseconds: Int64 = 15_000

    let aws: AWSLedger
    let identity: LedgerIdentity
    let logger: Logger

    /// - Throws: a refusal, with what to do, when the tables hold another ledger or epoch by now.
    func run(until stop: Stop) async throws {
        while !stop.isRequested {
            await stop.sleep(milliseconds: Self.pauseMilliseconds)
            if !stop.isRequested { try await compare() }
        }
    }

    private func compare() async throws {
        do throws(EventStoreError) {
            try await aws.requireStill(identity)
        } catch {
            guard error.code == .unavailable else { throw Refusal(error.message) }
            logger.warning("whose the tables are can't be compared now", metadata: ["error": "\(error)"])
        }
    }
}
