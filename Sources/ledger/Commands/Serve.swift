import API
import Appointments
import ArgumentParser
import EventStore
import Glibc
import HTTPServer
import Handlers
import HostSystem
import Logging
import Projections
import SQLiteEngine

/// `ledger serve`: the embedded ledger in one process.
struct Serve: AsyncParsableCommand {
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
              ledger serve --trusted-proxy 127.0.0.1 --trusted-proxy 10.1.0.0/16
              ledger serve --engine aws
              RDS_URL_LEDGER=postgresql://ledger_mirror@/ledger?host=/run/postgresql ledger serve --mirror
            """)

    @Option(help: "The address to listen on.") var host = "127.0.0.1"
    @Option(help: "The port to listen on; 0 for any free one.") var port = 8080
    @Option(help: "Seconds after which an appointment that stands still is sent round again.")
    var sweepAfter = Int(Sweeper.patienceMilliseconds / 1000)
    @Flag(help: "Keep the mirror up to the ledger beside it.") var mirror = false
    @Flag(inversion: .prefixedNo, help: "Fill a new ledger with 500 slots a country to try it out.")
    var demoSlots = true
    @Option(help: "The address or network of a proxy whose word is believed for who calls; repeat it for others.")
    var trustedProxy: [String] = []
    @OptionGroup var transport: TransportOptions
    @OptionGroup var options: SharedOptions

    /// Those of the options; otherwise those that the environment names.
    private var proxies: TrustedProxies {
        get throws {
            let named = System.environment["TRUSTED_PROXIES"]?.split { $0 == "," || $0 == " " }.map(String.init)
            let (texts, source) =
                trustedProxy.isEmpty ? (named ?? [], "TRUSTED_PROXIES") : (trustedProxy, "--trusted-proxy")
            do throws(EventStoreError) {
                return try TrustedProxies(texts)
            } catch {
                throw ValidationError("\(source): \(error.message)")
            }
        }
    }

    func validate() throws {
        _ = try proxies
        guard (0...65_535).contains(port) else { throw ValidationError("--port is 0 to 65535") }
        guard (1...86_400).contains(sweepAfter) else { throw ValidationError("--sweep-after is 1 to 86400 seconds") }
    }

    func run() async throws {
        let logger = Logs.start("ledger", level: options.logLevel)
        let address = ListenAddress(host: host, port: port)
        try address.check()
        if options.engine == .embedded, !address.isLoopback, access(options.data + "/ledger.sqlite", F_OK) != 0 {
            throw Self.needsKeys
        }
        if options.engine == .aws { return try await serveRemote(logger) }
        let ledger = try await Embedded.open(options.data, .create(demoSlots: demoSlots))
        let lock = try ServerLock(options.data)
        defer { withExtendedLifetime(lock) {} }
        try await requireKeys(ledger.apiKeys, logger)
        try await ledger.countryPools.check(logger)
        if ledger.hasNewDemoSlots {
            logger.notice(
                "a new ledger with \(DemoSlots.count) demo slots a country: 1 to 500 in PE, 1001 to 1500 in CL",
                metadata: ["directory": "\(options.data)"])
        }
        let mirror = mirror ? try await begin(mirroring: ledger, logger) : nil
        // Another process may keep it, and auditors are answered from it all the same.
        if mirror == nil {
            try await ledger.mirror?.checkForReading(ledger.store) { problem in
                logger.error("auditors are not answered from the mirror", metadata: ["error": "\(problem)"])
            }
        }
        try await prepare(ledger, logger)
        let callers = Callers()
        let open = OpenLedger(ledger, patienceMilliseconds: Int64(sweepAfter) * 1000)
        let watch = StatusWatch(open.status, memory: nil)
        let server = APIServer(
            table: open.table(callers, watch, proxies: try proxies, logger), host: host, port: port,
            limits: transport.limits(try proxies, logger), logger: logger)
        let pumps = Pumps(
            ledger: ledger, callers: callers, mirror: mirror, sweepAfterMilliseconds: Int64(sweepAfter) * 1000,
            logger: logger)
        // The last one stops first: no request comes in any more when the pumps finish.
        try await Farewell.run([pumps, Watching(watch: watch), server], logger)
        logger.notice("stopped; everything that was accepted is stored")
    }

    /// Serves the API of a ledger on AWS, whose queues and stream others work on: Lambda, or `ledger worker`.
    private func serveRemote(_ logger: Logger) async throws {
        if mirror { throw ValidationError("on AWS `ledger worker` keeps the mirror: leave out --mirror") }
        let remote = try await Remote.open(System.environment)
        let ledger = OpenLedger(remote)
        try await ledger.mirror?.checkForReading(ledger.store)
        try await requireKeys(ledger.apiKeys, logger)
        // On AWS events and appointments are counted by reading all of them.
        let watch = StatusWatch(ledger.status, counting: .whenRead, memory: nil)
        let server = APIServer(
            table: ledger.table(Callers(), watch, proxies: try proxies, logger), host: host, port: port,
            limits: transport.limits(try proxies, logger), logger: logger)
        try await Farewell.run(
            [IdentityWatch(remote: remote, logger: logger), Watching(watch: watch), server], logger)
        logger.notice("stopped; everything that was accepted is stored")
    }

    /// The mirror that is kept here. One that does not answer is left for later: it catches up by itself.
    private func begin(mirroring ledger: Embedded, _ logger: Logger) async throws -> Mirror {
        let mirror = try ledger.requireMirror()
        try await mirror.checkUnlessAway(logger, ledger.store, feed: ledger.store)
        return mirror
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

    /// Writes what has to be written before the first request. While that can't be, readers are served all the same.
    private func prepare(_ ledger: Embedded, _ logger: Logger) async throws {
        do throws(EventStoreError) {
            try await ledger.messaging.begin()
            try await catchUp(ledger, logger)
        } catch {
            try error.throwUnlessUnavailable()
            logger.error(
                "nothing can be written now: readers are served, and requests are refused until it can",
                metadata: ["error": "\(error.message)"])
        }
    }

    /// Takes in what was appended by a program that does not write the view along.
    private func catchUp(_ ledger: Embedded, _ logger: Logger) async throws(EventStoreError) {
        if try await ledger.views.pausedAt(ProjectionRunner.projection) != nil {
            return logger.notice("the view is held: `ledger projections resume appointments` lets it go on")
        }
        let count = try await ledger.catchUpView()
        if count > 0 { logger.notice("the view caught up", metadata: ["events": "\(count)"]) }
    }
}

extension Embedded {
    /// Takes into the view what it has not taken in; gives how many events that was.
    func catchUpView() async throws(EventStoreError) -> Int {
        let runner = ProjectionRunner(feed: store, store: store, views: views, people: people)
        var count = 0
        while true {
            let step = try await runner.step(now: System.now())
            if step == 0 { return count }
            count += step
        }
    }

    /// How the ledger is doing.
    func status(patienceMilliseconds: Int64 = Sweeper.patienceMilliseconds) -> LedgerStatus {
        LedgerStatus(
            feed: store, views: views, checkpoints: views, control: views, sets: viewSets,
            projections: [ProjectionRunner.projection, RouterPump.projection], audit: store,
            queues: Dictionary(uniqueKeysWithValues: QueueName.allCases.map { ($0, messaging.queue($0)) }),
            countries: countryPools.probes, mirror: mirror?.probe,
            mirrorGate: mirror.map { $0.gate($0.probe, store) }, sweeps: sweepLog,
            writeProblem: { [file] in await file.writeProblem() },
            patienceMilliseconds: patienceMilliseconds, now: System.now)
    }
}
