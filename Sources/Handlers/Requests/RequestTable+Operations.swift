import EventStore

/// What those ask for who run the ledger.
extension RequestTable {
    /// `GET /health/ready`.
    func readiness() async throws -> APIResponse {
        let readiness: Readiness
        do throws(EventStoreError) {
            readiness = try await status.readiness()
        } catch {
            throw Problem.unavailable("The ledger is not ready", reasons: ["a store does not answer"])
        }
        if !readiness.reasons.isEmpty {
            throw Problem.unavailable("The ledger is not ready", reasons: readiness.reasons)
        }
        return .json {
            $0.member("status", "ready")
            $0.members(of: readiness)
        }
    }

    /// `GET /metrics`. While the store does not answer, what is known without it is still told.
    func metrics() async throws -> APIResponse {
        var text = MetricsText()
        text.requests(meters.counts)
        text.droppedLogLines(droppedLogLines())
        do throws(EventStoreError) {
            text.ledger(try await status.read())
            text.isUp(true)
        } catch {
            text.isUp(false)
        }
        return APIResponse(
            headers: [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")], body: Array(text.text.utf8))
    }

    /// `OPTIONS`, for any path.
    static func options(_ path: RoutePath?) -> APIResponse {
        APIResponse(headers: (path.map { [("Allow", $0.allowed)] } ?? []) + [("Access-Control-Max-Age", "600")])
    }

    /// `GET /openapi.yaml`.
    static let specification = APIResponse(
        headers: [("Content-Type", "application/yaml; charset=utf-8")], body: PackageResources.openapi_yaml)
}

extension APIRequest {
    /// Refuses what stands in the query of a route that has no parameters.
    func refuseParameters() throws(Problem) {
        if query.isEmpty { return }
        var parameters = RequestQuery(query)
        try parameters.finish()
    }
}
