package import API
import Glibc
import HummingbirdCore
package import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// The HTTP server: Hummingbird accepts the connections, and every request goes to the one request table.
///
/// A graceful shutdown closes idle connections immediately and the others after their answer.
package struct APIServer: Service {
    private let server: any Service
    private let address: String
    private let bound = BoundPort()
    private let connections: ConnectionTable

    /// Bytes of answers that wait for their clients to read them.
    package var heldBytes: Int { connections.heldBytes }

    /// - Parameter port: 0 for any free port; `port` tells which one it was.
    package init(
        table: any RequestTable, host: String, port: Int, limits: TransportLimits = TransportLimits(), logger: Logger
    ) {
        let bound = bound
        address = "\(host):\(port)"
        let connections = ConnectionTable(limits)
        self.connections = connections
        server = RequestChannel(table: table, limits: limits, connections: connections).server(
            configuration: ServerConfiguration(address: .hostname(host, port: port), backlog: 1024),
            onServerRunning: { bound.set($0.localAddress?.port ?? port) },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
    }

    /// The port that the server listens on; waits until it does.
    package var port: Int {
        get async { await bound.value }
    }

    /// Serves until a graceful shutdown.
    ///
    /// - Throws: `ListenError` when the address can't be listened on.
    package func run() async throws {
        do {
            try await server.run()
        } catch let error as IOError {
            throw ListenError(address: address, cause: error)
        }
    }
}

/// A port that is known once the server listens.
private final class BoundPort: Sendable {
    private struct State {
        var port: Int?
        var waiting: [CheckedContinuation<Int, Never>] = []
    }

    private let state = Mutex(State())

    func set(_ port: Int) {
        let waiting = state.withLock { state in
            state.port = port
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume(returning: port) }
    }

    var value: Int {
        get async {
            await withCheckedContinuation { continuation in
                let port = state.withLock { state -> Int? in
                    if state.port == nil { state.waiting.append(continuation) }
                    return state.port
                }
                if let port { continuation.resume(returning: port) }
            }
        }
    }
}

/// The server's address is taken, not allowed, or not this machine's.
package struct ListenError: Error, CustomStringConvertible {
    let address: String
    let cause: IOError

    package var description: String {
        "\(address) can't be listened on: \(String(cString: strerror(cause.errnoCode))); take another --host or --port"
    }
}
