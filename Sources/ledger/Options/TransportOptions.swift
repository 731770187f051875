import API
import ArgumentParser
import Glibc
import HTTPServer
import Logging

/// What callers may use up.
struct TransportOptions: ParsableArguments {
    @Option(help: "The most connections at once; then the one that has been idle longest makes room.")
    var connections = TransportLimits().connections
    @Option(help: "The most connections of one address (IPv6: of one /64).")
    var connectionsPerAddress = TransportLimits().connectionsPerAddress
    @Option(help: "The most megabytes of answers that wait for their clients; then the slowest reader is cut off.")
    var answerMegabytes = TransportLimits().answerBytes >> 20

    func validate() throws {
        guard (1...1_000_000).contains(connections) else { throw ValidationError("--connections is 1 to 1000000") }
        guard (1...1_000_000).contains(connectionsPerAddress) else {
            throw ValidationError("--connections-per-address is 1 to 1000000")
        }
        guard (8...65_536).contains(answerMegabytes) else { throw ValidationError("--answer-megabytes is 8 to 65536") }
    }

    /// The limits of the transport. Where the process may open fewer files than connections are allowed, the limit
    /// follows that.
    func limits(_ proxies: TrustedProxies, _ logger: Logger) -> TransportLimits {
        var limits = TransportLimits()
        limits.proxies = proxies
        (limits.connections, limits.connectionsPerAddress) = (connections, min(connectionsPerAddress, connections))
        limits.answerBytes = answerMegabytes << 20
        var files = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files) == 0 {
            limits.fit(openFiles: Int(clamping: files.rlim_cur))
        }
        if limits.connections < connections {
            logger.warning(
                "this process may open too few files for its connections: raise the limit (ulimit -n)",
                metadata: ["openFiles": "\(files.rlim_cur)", "connections": "\(limits.connections)"])
        }
        return limits
    }
}
