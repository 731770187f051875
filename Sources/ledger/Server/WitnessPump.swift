import EventStore
import HTTPClient
import Handlers
import LogService
import Logging
import TransparencyLog

/// Collects the signatures of witnesses on each new checkpoint. Each witness has a task of its own, so that one that
/// hangs delays no other.
struct WitnessPump: Sendable {
    private static let pauseMilliseconds: Int64 = 250
    /// The longest pause after answers that were none, or were refusals.
    private static let longestMilliseconds: Int64 = 60_000
    /// How long a witness may take.
    private static let timeoutMilliseconds = 5000

    let witnesses: Witnesses
    let checkpointer: Checkpointer
    let logger: Logger

    /// - Parameter addresses: the key of each witness and where it is.
    init(_ addresses: [WitnessOptions.Address], checkpointer: Checkpointer, logger: Logger) {
        let pool = ConnectionPool(size: max(addresses.count, 1))
        witnesses = Witnesses(
            addresses.map { address in
                WitnessClient(address.key, at: address.url) { url, body in
                    await Self.post(body, to: url, pool)
                }
            })
        (self.checkpointer, self.logger) = (checkpointer, logger)
    }

    /// Collects until it is told to stop; a request that is under way then is given up.
    func run(until stop: Stop) async {
        await withTaskGroup(of: Void.self) { group in
            for place in witnesses.clients.indices { group.addTask { await follow(place, until: stop) } }
            group.addTask {
                while !stop.isRequested { await stop.sleep(milliseconds: Self.longestMilliseconds) }
            }
            await group.next()
            group.cancelAll()
        }
    }

    private func follow(_ place: Int, until stop: Stop) async {
        var (pause, told) = (Self.pauseMilliseconds, "")
        while !stop.isRequested {
            if let problem = await problem(place) {
                pause = min(pause * 2, Self.longestMilliseconds)
                if problem.text != told {
                    logger.log(
                        level: problem.level, "not signed: \(problem.text)",
                        metadata: ["witness": "\(witnesses.clients[place].key.name)"])
                }
                told = problem.text
            } else {
                (pause, told) = (Self.pauseMilliseconds, "")
            }
            await stop.sleep(milliseconds: pause)
        }
    }

    /// Asks a witness, and says why it has not signed; nil when it has.
    private func problem(_ place: Int) async -> (text: String, level: Logger.Level)? {
        do throws(EventStoreError) {
            switch try await witnesses.collect(place, from: checkpointer) {
            case nil, .cosigned: return nil
            case .away(let what): return (what, .warning)
            case .refused(let what): return (what, .error)
            case .contradicted(let what): return (what, .critical)
            }
        } catch {
            return (error.message, .warning)
        }
    }

    private static func post(
        _ body: [UInt8], to url: String, _ pool: ConnectionPool
    ) async -> Result<WitnessClient.Reply, NoAnswer> {
        let request = HTTPRequest(
            method: .post, url: url, headers: [("Content-Type", "text/plain; charset=utf-8")], body: body,
            timeoutMilliseconds: timeoutMilliseconds, maximumBytes: AddCheckpointAnswer.maximumBytes)
        do throws(TransportFailure) {
            let response = try await pool.send(request)
            return .success(
                .init(status: response.status, contentType: response.headers["content-type"], body: response.body))
        } catch {
            return .failure(NoAnswer("\(error)"))
        }
    }
}
