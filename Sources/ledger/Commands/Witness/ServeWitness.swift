import API
import ArgumentParser
import EventStore
import Glibc
import HTTPServer
import HostSystem
import LogService
import Logging
import SQLiteEngine
import TransparencyLog

/// `ledger witness serve`: C2SP tlog-witness over HTTP.
struct ServeWitness: Verb {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serves a witness: POST /add-checkpoint and GET /ORIGIN-HASH/checkpoint.",
        discussion: """
            The policy's `log` lines say which logs it signs for; other lines are read and not used. What was \
            signed last is in --data, durable before it is answered: never put that directory back to an older \
            copy. Requests need no API key: only a log's own signature moves anything. Put a proxy before it for \
            TLS.

            EXAMPLES
              ledger witness serve --policy logs.txt --key witness.key --data ./witness
              ledger witness serve --policy logs.txt --key witness.key --data ./witness --host 0.0.0.0 --port 443
            """)

    @Option(help: "A file of `log KEY` lines and a line `quorum none` (C2SP tlog-policy).") var policy: String
    @Option(help: "The witness' key, as `ledger witness key` makes it.") var key: String
    @Option(help: "The directory for what was signed last of each log.") var data: String
    @Option(help: "The address to listen on.") var host = "127.0.0.1"
    @Option(help: "The port to listen on; 0 for any free one.") var port = 8081
    @OptionGroup var transport: TransportOptions
    @OptionGroup var log: LogOptions

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port is 0 to 65535") }
        if data.isEmpty { throw ValidationError("--data is empty: name a directory") }
    }

    func run(in shell: Shell) async throws {
        let logger = shell.logger("ledger-witness", level: log.logLevel)
        try ListenAddress(host: host, port: port).check()
        let logs = try TrustPolicy.read(policy).logs.map(\.key)
        guard !logs.isEmpty else { throw Refusal("\(policy) has no line log: the witness would sign for nobody") }
        let key = try signingKey()
        let file = try SideFile(.witness, path: try PrivateFiles.make(data) + "/witness.sqlite")
        let witness = Witness(logs: logs, key: key, store: SQLiteWitnessStore(file), now: System.now)
        var limits = transport.limits(.none, logger)
        limits.bodyBytes = WitnessAPI.maximumBytes
        let server = APIServer(
            table: WitnessAPI(witness, now: System.now, logger: logger), host: host, port: port, limits: limits,
            logger: logger)
        logger.notice("witnessing", metadata: ["key": "\(key.verifier)", "logs": "\(logs.count)"])
        try await Farewell.run([server], logger)
        logger.notice("stopped; everything that was signed is stored")
    }

    /// The key in the file, which nobody else may read.
    private func signingKey() throws -> SigningKey {
        var status = stat()
        if stat(key, &status) == 0, status.st_mode & 0o077 != 0 {
            throw Refusal("others may read the key file \(key): run `chmod 600 \(key)`")
        }
        let bytes = try GivenFile.bytes(key, limit: 4096)
        guard bytes.last == UInt8(ascii: "\n"), let text = String(validating: bytes.dropLast(), as: UTF8.self),
            let key = try? SigningKey(secretText: text), key.verifier.type == .cosignature
        else { throw Refusal("\(key) holds no witness' key: make one with `ledger witness key`") }
        return key
    }
}
