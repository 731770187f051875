import API
import Appointments
import ArgumentParser
import EventStore
import Glibc
import HTTPServer
import Handlers
import Logging
import Projections
import SQLiteEngine
import ServiceLifecycle

/// `ledger serve`: the embedded ledger in one process.
struct Serve: Verb {
    static let configuration = CommandConfiguration(
        abstract: "Serves the API and runs router, country processors and projectors, all in one process.",
        discussion: """
            Without API keys it serves this machine alone. With keys (`ledger keys create`) it may listen on any \
            address, and every request but /health and /openapi.yaml needs one. Requests that come through a proxy are \
            counted as the proxy's own, unless --trusted-proxy (or TRUSTED_PROXIES, with commas) names it: then its \
            Forwarded or X-Forwarded-For says who calls. With --engine aws it serves the API alone: `ledger worker` or \
            Lambda does the rest.

            EXAMPLES
              ledger serve
              ledger serve --port 9000 --data /var/lib/ledger
              ledger serve --host 0.0.0.0
              ledger serve --origin clinic.example/appointments
              ledger serve --trusted-proxy 127.0.0.1 --trusted-proxy 10.1.0.0/16
              ledger serve --witness https://witness.example.org/w1 --witness-key VKEY
              ledger serve --engine aws
              RDS_URL_LEDGER=postgresql://ledger_mirror@/ledger?host=/run/postgresql ledger serve --mirror
            """)

    @Option(help: "The address to listen on.") var host = "127.0.0.1"
    @Option(help: "The port to listen on; 0 for any free one.") var port = 8080
    @Option(help: "Seconds after which an appointment that stands still is sent round again.")
    var sweepAfter = Int(Sweeper.patienceMilliseconds / 1000)
    @Flag(help: "Keep the mirror up to the ledger beside it.") var mirror = false
    @Option(help: "What the signed log of a new ledger is called, such as clinic.example/appointments.")
    var origin: String?
    @Flag(inversion: .prefixedNo, help: "Fill a new ledger with 500 slots a country to try it out.")
    var demoSlots = true
    @Option(help: "The address or network of a proxy whose word is believed for who calls; repeat it for others.")
    var trustedProxy: [String] = []
    @OptionGroup var witnesses: WitnessOptions
    @OptionGroup var transport: TransportOptions
    @OptionGroup var options: SharedOptions

    func validate() throws {
        do throws(EventStoreError) {
            _ = try TrustedProxies(trustedProxy)
        } catch {
            throw ValidationError("--trusted-proxy: \(error.message)")
        }
        guard (0...65_535).contains(port) else { throw ValidationError("--port is 0 to 65535") }
        guard (1...86_400).contains(sweepAfter) else { throw ValidationError("--sweep-after is 1 to 86400 seconds") }
    }

    func run(in shell: Shell) async throws {
        let proxies = try proxies(shell.environment)
        let logger = shell.logger("ledger", level: options.log.logLevel)
        let address = ListenAddress(host: host, port: port)
        try address.check()
        if options.engine == .embedded, !address.isLoopback, access(options.data + "/ledger.sqlite", F_OK) != 0 {
            throw Self.needsKeys
        }
        let witnesses = try witnesses.addresses()
        if options.engine == .aws, origin != nil || !witnesses.isEmpty {
            throw ValidationError("on AWS no log is signed: leave out --origin, --witness and --policy")
        }
        if options.engine == .aws, mirror {
            throw ValidationError("on AWS `ledger worker` keeps the mirror: leave out --mirror")
        }
        let ledger = try await options.open(in: shell, .create(demoSlots: demoSlots), logger: logger)
        let callers = Callers()
        func server(_ watch: StatusWatch, _ log: SignedLog?) -> APIServer {
            let table = ledger.table(
                callers, watch, signedLog: log?.served, proxies: proxies,
                origins: AllowedOrigins(shell.environment["CORS_ORIGINS"]), logger)
            return APIServer(
                table: table, host: host, port: port, limits: transport.limits(proxies, logger), logger: logger)
        }
        switch ledger.engine {
        case .embedded(let files):
            let lock = try ServerLock(options.data)
            defer { withExtendedLifetime(lock) {} }
            try await requireKeys(ledger.apiKeys, logger)
            let mirror = try await begin(ledger, files, logger)
            let log = try await begin(files.log, logger)
            let patience = Int64(sweepAfter) * 1000
            let watch = StatusWatch(ledger.status(patienceMilliseconds: patience), memory: nil)
            let pumps = Pumps(ledger: ledger, sweepAfterMilliseconds: patience, logger: logger)
            // The last one stops first: no request comes in any more when the pumps finish.
            var services: [any Service] = [
                UntilStopped { await pumps.run(files, callers, mirror: mirror, until: $0) },
                UntilStopped { await watch.run(until: $0) }, server(watch, log),
            ]
            if let log {
                let signing = CheckpointPump(checkpointer: log.checkpointer, logger: logger)
                // It stops after all others, and so signs what they have recorded.
                services.insert(UntilStopped { await signing.run(until: $0) }, at: 0)
                let collecting = WitnessPump(witnesses, checkpointer: log.checkpointer, logger: logger)
                services.append(UntilStopped { await collecting.run(until: $0) })
            }
            try await Farewell.run(services, logger)
        case .aws(let aws, _):
            // Others work on its queues and stream: Lambda, or `ledger worker`.
            try await ledger.checkMirrorForReading(shell)
            try await requireKeys(ledger.apiKeys, logger)
            // On AWS events and appointments are counted by reading all of them.
            let watch = StatusWatch(ledger.status(), counting: .whenRead, memory: nil)
            let identity = IdentityWatch(aws: aws, identity: ledger.identity, logger: logger)
            try await Farewell.run(
                [
                    UntilStopped { try await identity.run(until: $0) }, UntilStopped { await watch.run(until: $0) },
                    server(watch, nil),
                ], logger)
        }
        logger.notice("stopped; everything that was accepted is stored")
    }

    /// Those of the options; otherwise those that the environment names.
    private func proxies(_ environment: [String: String]) throws -> TrustedProxies {
        if !trustedProxy.isEmpty { return try TrustedProxies(trustedProxy) }
        let named = environment["TRUSTED_PROXIES"]?.split { $0 == "," || $0 == " " }.map(String.init)
        do throws(EventStoreError) {
            return try TrustedProxies(named ?? [])
        } catch {
            throw Refusal("TRUSTED_PROXIES: \(error.message). See 'ledger serve --help' for more information.")
        }
    }

    /// Compares what an embedded ledger stands on, and writes what has to be written before the first request.
    ///
    /// - Returns: the mirror that is kept here. One that does not answer is left for later: it catches up by itself.
    private func begin(_ ledger: Ledger, _ files: EmbeddedFiles, _ logger: Logger) async throws -> Mirror? {
        try await ledger.countryPools.check(logger)
        if files.hasNewDemoSlots {
            logger.notice(
                "a new ledger with \(DemoSlots.count) demo slots a country: 1 to 500 in PE, 1001 to 1500 in CL",
                metadata: ["directory": "\(options.data)"])
        }
        let kept = mirror ? try ledger.requireMirror() : nil
        if let kept {
            try await kept.checkUnlessAway(logger, ledger.store, feed: ledger.feed)
        } else {
            // Another process may keep it, and auditors are answered from it all the same.
            try await ledger.mirror?.checkForReading(ledger.store) { problem in
                logger.error("auditors are not answered from the mirror", metadata: ["error": "\(problem)"])
            }
        }
        // While nothing can be written, readers are served all the same.
        do throws(EventStoreError) {
            try await files.messaging.begin()
            try await catchUp(ledger, logger)
        } catch {
            try error.throwUnlessUnavailable()
            logger.error(
                "nothing can be written now: readers are served, and requests are refused until it can",
                metadata: ["error": "\(error.message)"])
        }
        return kept
    }

    /// Takes in what was appended by a program that does not write the view along.
    private func catchUp(_ ledger: Ledger, _ logger: Logger) async throws(EventStoreError) {
        if try await ledger.views.pausedAt(ProjectionRunner.projection) != nil {
            return logger.notice("the view is held: `ledger projections resume appointments` lets it go on")
        }
        let count = try await ledger.catchUp(ProjectionRunner.projection, logger)
        if count > 0 { logger.notice("the view caught up", metadata: ["events": "\(count)"]) }
    }

    /// The log that is signed here; nil while its key can't be read, which keeps no request from its answer.
    ///
    /// - Throws: `invalid` when it was begun under another origin than this one.
    private func begin(_ log: EmbeddedLog, _ logger: Logger) async throws(EventStoreError) -> SignedLog? {
        do throws(EventStoreError) {
            return try await log.begin(origin: origin)
        } catch {
            if origin != nil { throw error }
            logger.error("no checkpoint is signed: \(error.message)")
            return nil
        }
    }

    private static let needsKeys = ValidationError(
        """
        without API keys the server listens on 127.0.0.1 alone: make one with `ledger keys create`, or leave out --host
        """)

    /// An API that others can reach has keys.
    private func requireKeys(_ keys: any APIKeys, _ logger: Logger) async throws {
        let keys = try await keys.list()
        if ListenAddress(host: host, port: port).isLoopback {
            if keys.isEmpty {
                logger.warning(
                    """
                    there are no API keys: whoever reaches this machine's own address is served as admin. Make keys \
                    with `ledger keys create` before a proxy or a tunnel leads here
                    """)
            }
            return
        }
        if keys.contains(where: { $0.revokedAt == nil }) { return }
        throw Self.needsKeys
    }
}
