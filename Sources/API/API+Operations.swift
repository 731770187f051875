import EventStore

/// What those ask for who run the ledger.
extension API {
    /// `GET /health/ready`, from what is known: it waits for nobody.
    func readiness() async throws -> APIResponse {
        let snapshot = await status.snapshot()
        guard let readiness = snapshot.readiness, snapshot.reasons.isEmpty else {
            throw Problem.unavailable("The ledger is not ready", reasons: snapshot.reasons)
        }
        return .json {
            $0.member("status", "ready")
            $0.members(of: readiness)
            $0.key("agesSeconds")
            $0.object { writer in
                for (of, seconds) in snapshot.ages { writer.member(of, Int(seconds)) }
            }
        }
    }

    /// `GET /metrics`, from what is known, with its age. While the store does not answer, what was known is still told.
    func metrics() async throws -> APIResponse {
        var text = MetricsText()
        text.requests(meters.counts)
        text.droppedLogLines(droppedLogLines())
        text.ledger(await status.snapshot(withFigures: true))
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
