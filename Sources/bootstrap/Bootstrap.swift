import AWSEngine
import Dispatch
import EventStore
import Glibc
import HTTPClient
import HostSystem
import LambdaRuntime
import Logging

/// What Lambda runs: one program for all functions. `_HANDLER` says which of them this process is.
@main
struct Bootstrap {
    static func main() async {
        // A connection that the other side has closed is an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let environment = System.environment
        let current = CurrentInvocation()
        let logger = startLog(environment, current)
        guard let address = environment["AWS_LAMBDA_RUNTIME_API"], !address.isEmpty else {
            logger.critical("AWS_LAMBDA_RUNTIME_API is not set: this program is started by Lambda")
            exit(1)
        }
        let pool = ConnectionPool(ConnectionPool.Settings(certificates: environment["AWS_CA_BUNDLE"]))
        let api = RuntimeAPI(address, pool: pool)
        let function: LedgerFunction
        do throws(EventStoreError) {
            function = try LedgerFunction(environment, pool: pool, logger: logger)
        } catch {
            logger.critical("the function can't begin", metadata: ["error": "\(error)"])
            // Lambda learns from the end of the process when this does not reach it.
            try? await api.failBeginning(type: "Ledger.Misconfigured", message: error.message)
            exit(1)
        }
        let loop = RuntimeLoop(api, current: current, now: System.now, logger: logger)
        // Before the first invocation is asked for: who asks has said that it may be ended.
        let (terminations, source) = await Self.terminations()
        defer { withExtendedLifetime(source) {} }
        let run = Task { await serve(function, loop) }
        let watch = Task { for await _ in terminations { run.cancel() } }
        defer { watch.cancel() }
        if let failure = await run.value {
            logger.critical("the runtime ends", metadata: ["error": "\(failure)"])
            exit(1)
        }
    }

    /// Answers invocations.
    ///
    /// - Returns: why it had to end; nil when it was asked to.
    private static func serve(_ function: LedgerFunction, _ loop: RuntimeLoop) async -> RuntimeFailure? {
        do throws(RuntimeFailure) {
            try await loop.run { event, _ throws(EventStoreError) in try await function.answer(event) }
            return nil
        } catch {
            return error
        }
    }

    private static func startLog(_ environment: [String: String], _ current: CurrentInvocation) -> Logger {
        let level = environment["LOG_LEVEL"].flatMap { Logger.Level(rawValue: $0.lowercased()) } ?? .info
        let service = environment["_HANDLER"] ?? "bootstrap"
        LoggingSystem.bootstrap(
            { _, provider in
                var handler = JSONLogHandler(service: service, logLevel: level, now: System.now)
                handler.metadataProvider = provider
                return handler
            }, metadataProvider: current.provider)
        return Logger(label: service)
    }

    /// When the process is asked to end. No request is missed from then on that this has returned.
    private static func terminations() async -> (AsyncStream<Void>, any DispatchSourceSignal) {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        signal(SIGTERM, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGTERM, queue: DispatchQueue(label: "signals"))
        source.setEventHandler { continuation.yield() }
        await withCheckedContinuation { (isRegistered: CheckedContinuation<Void, Never>) in
            source.setRegistrationHandler { isRegistered.resume() }
            source.resume()
        }
        return (stream, source)
    }
}
