/// Answers the requests that a transport brings. It never throws.
package protocol RequestTable: Sendable {
    /// Answers a request.
    func respond(to request: APIRequest) async -> APIResponse

    /// The answer to what a transport could not read as a request, or does not take in.
    func refuse(_ problem: Problem, requestID: String) -> APIResponse
}

extension API: RequestTable {}
