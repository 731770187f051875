import HTTPServer
import ServiceLifecycle

/// Serves a world on a free port while `body` runs.
func withServer<Value: Sendable>(
    _ world: World, limits: TransportLimits = TransportLimits(), _ body: @Sendable (Int) async throws -> Value
) async throws -> Value {
    try await withRunningServer(world, limits: limits) { try await body(await $0.port) }
}

/// The same for a `body` that looks at the server itself.
func withRunningServer<Value: Sendable>(
    _ world: World, limits: TransportLimits = TransportLimits(), _ body: @Sendable (APIServer) async throws -> Value
) async throws -> Value {
    let server = APIServer(table: world.table, host: "127.0.0.1", port: 0, limits: limits, logger: world.logger)
    // Shut down as the program is: a cancelled server may drop a connection that it has just accepted.
    let services = ServiceGroup(configuration: .init(services: [.init(service: server)], logger: world.logger))
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await services.run() }
        let result: Result<Value, any Error>
        _ = await server.port
        do { result = .success(try await body(server)) } catch { result = .failure(error) }
        await services.triggerGracefulShutdown()
        try await group.waitForAll()
        return try result.get()
    }
}
