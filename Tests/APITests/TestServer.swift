import API
import Handlers

/// Serves a world on a free port while `body` runs.
func withServer<Value: Sendable>(
    _ world: World, limits: TransportLimits = TransportLimits(), _ body: @Sendable (Int) async throws -> Value
) async throws -> Value {
    let server = APIServer(table: world.table, host: "127.0.0.1", port: 0, limits: limits, logger: world.logger)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run() }
        let result = try await body(await server.port)
        group.cancelAll()
        return result
    }
}
