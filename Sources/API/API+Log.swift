import Appointments
import EventStore
import LogService
import Replay
import TransparencyLog

/// The log that anybody with a key may check: its last checkpoint, tiles, entries and proofs.
///
/// No answer says more than the last checkpoint covers: what came after it is in the next one, a second later.
extension API {
    /// `GET /ledger/checkpoint`: a signed note (C2SP tlog-checkpoint).
    func checkpoint(_ request: APIRequest) async throws -> APIResponse {
        try Self.check(request)
        let (_, last) = try await signedLog()
        return Self.text(last.note.bytes, cache: "no-cache")
    }

    /// `GET /ledger/key`: what signatures of the log are checked with.
    func logKey(_ request: APIRequest) throws -> APIResponse {
        try Self.check(request)
        guard let log else { throw Problem.emptyLog }
        return Self.text(Array("\(log.key)\n".utf8), cache: "no-cache")
    }

    /// `GET /ledger/tile/L/N[.p/W]` and `GET /ledger/tile/entries/N[.p/W]` (C2SP tlog-tiles).
    func tile(_ request: APIRequest, _ path: RoutePath) async throws -> APIResponse {
        try Self.check(request)
        let (log, last) = try await signedLog()
        guard let tile = TilePath(path.tile), tile.isCovered(bySize: last.checkpoint.size) else {
            throw Problem(
                .notInLog, "The last checkpoint covers no such tile, or its path is not written as C2SP tlog-tiles says"
            )
        }
        var headers = [("Content-Type", "application/octet-stream")]
        if tile.isFull { headers.append(("Cache-Control", "public, max-age=31536000, immutable")) }
        return APIResponse(headers: headers, body: try await log.content(of: tile))
    }

    /// `GET /ledger/proof/{appointmentId}/{version}`: that an event is in the log (C2SP tlog-proof).
    func logProof(_ request: APIRequest, _ path: RoutePath) async throws -> APIResponse {
        let (id, issues) = path.appointmentID
        let (version, others) = path.eventVersion
        try Self.check(request, adding: issues + others)
        let (log, last) = try await signedLog()
        guard let id, let version,
            let proof = try await log.proof(of: id.stream, version: version, at: last)
        else {
            throw Problem(.notInLog, "The last checkpoint covers no such event: one of the last second is in the next")
        }
        return Self.text(proof.bytes, cache: nil)
    }

    /// `GET /ledger/history/{appointmentId}`: all events of an appointment with the proof that they are all, or that
    /// there is none.
    func logHistory(_ request: APIRequest, _ path: RoutePath, _ caller: Caller) async throws -> APIResponse {
        let (id, issues) = path.appointmentID
        try Self.check(request, adding: issues)
        let (log, last) = try await signedLog()
        guard let id else { throw Problem.appointmentNotFound }
        let proof = try await log.history(of: id.stream, at: last)
        try await trail.record(AccessRecord(to: id, by: caller.actor, rows: proof.items.count, at: now()))
        return APIResponse(headers: [("Content-Type", "application/json")], body: proof.bytes)
    }

    /// The log and its last checkpoint.
    private func signedLog() async throws -> (ServedLog, SignedCheckpoint) {
        guard let log, let last = try await log.last() else { throw Problem.emptyLog }
        return (log, last)
    }

    private static func check(_ request: APIRequest, adding issues: [Problem.Issue] = []) throws(Problem) {
        var query = RequestQuery(request.query)
        try query.finish(adding: issues + request.correlationIssues)
    }

    private static func text(_ bytes: [UInt8], cache: String?) -> APIResponse {
        let caching = cache.map { [("Cache-Control", $0)] } ?? []
        return APIResponse(headers: [("Content-Type", "text/plain; charset=utf-8")] + caching, body: bytes)
    }
}

extension Problem {
    fileprivate static let emptyLog = Problem(.logEmpty, "No checkpoint of this ledger was signed yet")
}

extension RoutePath {
    /// The version in the path, or what is wrong with it.
    fileprivate var eventVersion: (Int?, [Problem.Issue]) {
        let version = PercentEncoding.decode(version.utf8).flatMap { Int(strict: $0) }
        guard let version, (1...9_007_199_254_740_991).contains(version) else {
            let message = "Version must be a whole number from 1"
            return (nil, [Problem.Issue(field: "version", code: .validationFailed, message: message)])
        }
        return (version, [])
    }
}
