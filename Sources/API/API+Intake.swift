import Appointments
import EventStore
import Handlers

/// `POST /appointments`.
extension API {
    func requestAppointment(_ request: APIRequest, _ caller: Caller) async throws -> APIResponse {
        try requireJSON(request)
        guard request.body.count <= AppointmentRequest.maximumBytes else { throw Problem.bodyTooLarge }
        let (body, key, correlation) = try read(request)
        let bytes = random(64)
        let appointment =
            key.map { AppointmentID(owner: caller.actor, idempotencyKey: $0, secret: idempotencySecret) }
            ?? AppointmentID(at: now(), random: Self.words(bytes, from: 0))
        let intake = Intake(
            Intake.Wish(
                insured: body.insured, request: body.request, actor: caller.actor,
                correlation: correlation ?? Identifier.version4(random: Self.words(bytes, from: 32)).description),
            ids: Intake.NewIDs(
                appointment: appointment, event: .version4(random: Self.words(bytes, from: 16)),
                nonce: Array(bytes[48..<60])))
        let completion = try await callers.waiting { try await performer.run(intake) }
        switch completion {
        case .accepted(let event, let replayed): return accepted(event, body, replayed: replayed)
        case .refused(.differentRequest):
            throw Problem(.idempotencyKeyReused, "The Idempotency-Key was used before, with another body")
        case .refused(let rejection): throw UnexpectedCompletion(reason: "intake was refused: \(rejection)")
        case .failed(let reason): throw UnexpectedCompletion(reason: reason)
        case .done: throw UnexpectedCompletion(reason: "intake ended without an event")
        }
    }

    /// Everything that the request says, or everything that is wrong with it.
    private func read(
        _ request: APIRequest
    ) throws(Problem) -> (body: AppointmentRequest, key: String?, correlation: String?) {
        var issues: [Problem.Issue] = []
        var query = RequestQuery(request.query)
        _ = try issues.collect { () throws(Problem) in try query.finish() }
        let key = try issues.collect { () throws(Problem) in try idempotencyKey(of: request) } ?? nil
        let correlation = try issues.collect { () throws(Problem) in try request.correlation() } ?? nil
        let body = try issues.collect { () throws(Problem) in try AppointmentRequest(request.body) }
        guard issues.isEmpty, let body else { throw Problem(issues) }
        return (body, key, correlation)
    }

    private func accepted(_ event: RecordedEvent, _ body: AppointmentRequest, replayed: Bool) -> APIResponse {
        let appointment = event.stream.appointment.description
        var response = APIResponse.json(201) {
            $0.member("appointmentId", appointment)
            $0.member("message", "Appointment scheduling is in process")
            $0.member("status", AppointmentStatus.pending.rawValue)
            $0.member("insuredId", body.insured.digits)
            $0.member("scheduleId", body.request.schedule.number)
            $0.member("countryISO", body.request.country.code)
            $0.member("createdAt", event.entry.at)
        }
        response.headers.append(("Location", "/appointments/\(body.insured.digits)/\(appointment)"))
        response.headers.append(("X-Correlation-Id", event.entry.correlation))
        if replayed { response.headers.append(("Idempotent-Replayed", "true")) }
        return response
    }

    private func idempotencyKey(of request: APIRequest) throws(Problem) -> String? {
        guard let key = try request.header("Idempotency-Key") else { return nil }
        guard (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .invalid("Idempotency-Key", .validationFailed, "Idempotency-Key must be 1 to 255 visible characters")
        }
        return key
    }

    private func requireJSON(_ request: APIRequest) throws(Problem) {
        if let encoding = try request.header("Content-Encoding"), !encoding.hasSameLetters(as: "identity") {
            throw Problem(.unsupportedMediaType, "The body must not be compressed")
        }
        // Clients of the original service need not say what they send; what they say must be true.
        guard let type = try request.header("Content-Type") else { return }
        let parts = type.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\"" && $0 != "\t" } }
        let isJSON = parts.first?.hasSameLetters(as: "application/json") ?? false
        guard isJSON, parts.dropFirst().allSatisfy({ $0.hasSameLetters(as: "charset=utf-8") }) else {
            throw Problem(.unsupportedMediaType, "The body must be application/json in UTF-8")
        }
    }

    /// Two words out of 16 random bytes.
    private static func words(_ bytes: [UInt8], from start: Int) -> (UInt64, UInt64) {
        let id = Identifier(bytes: bytes[start..<start + 16]) ?? Identifier(high: 0, low: 0)
        return (id.high, id.low)
    }
}

/// A handler ended as it never should.
struct UnexpectedCompletion: Error {
    /// What it said; it holds no personal data.
    let reason: String
}

extension [Problem.Issue] {
    /// Reads a part of a request and keeps what is wrong with it, to be reported with the rest.
    ///
    /// - Throws: a problem that is not about fields.
    mutating func collect<Value>(_ read: () throws(Problem) -> Value) throws(Problem) -> Value? {
        do throws(Problem) {
            return try read()
        } catch {
            guard error.code == .validation else { throw error }
            self += error.issues
            return nil
        }
    }
}

extension Problem {
    /// A body of more bytes than are read.
    package static var bodyTooLarge: Problem {
        Problem(.payloadTooLarge, "The body must have at most \(AppointmentRequest.maximumBytes) bytes")
    }
}

extension APIRequest {
    /// What ties the events of this request together: `X-Correlation-Id`, or the trace of a W3C `traceparent`; nil
    /// when the caller sent neither. A broken `traceparent` is passed over, as its specification asks.
    ///
    /// It goes into every event that follows, for ever, and is shown to those who may not see persons: one that may
    /// hold a person's number is refused. A trace's 32 digits are made at random, and never taken for one.
    func correlation() throws(Problem) -> String? {
        if let text = try header("X-Correlation-Id") {
            guard text.isCorrelation else {
                throw .invalid(
                    "X-Correlation-Id", .validationFailed, "X-Correlation-Id must be 1 to 128 of A-Z a-z 0-9 . _ -")
            }
            guard !PersonNumbers.isFound(in: text) else {
                throw .invalid("X-Correlation-Id", .validationFailed, "X-Correlation-Id \(String.holdsPersonNumber)")
            }
            return text
        }
        guard let parent = try? header("traceparent") else { return nil }
        let parts = parent.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[0].isHexadecimal(2), parts[0] != "ff", parts[1].isHexadecimal(32),
            parts[2].isHexadecimal(16), parts[3].isHexadecimal(2), parts[1].contains(where: { $0 != "0" })
        else { return nil }
        return String(parts[1])
    }
}

extension String {
    /// Why a correlation is refused, and what to send instead.
    static let holdsPersonNumber =
        "must not hold a run of exactly 5 digits: it could be a person's number; send a UUID, or leave it out"

    /// Whether this may tie events together: 1 to 128 of `A-Za-z0-9._-`.
    var isCorrelation: Bool {
        (1...128).contains(utf8.count)
            && utf8.allSatisfy {
                $0.isDigit || (0x41...0x5A).contains($0 & 0xDF) || $0 == 0x2E || $0 == 0x5F
                    || $0 == 0x2D
            }
    }
}

extension Substring {
    fileprivate func isHexadecimal(_ count: Int) -> Bool {
        utf8.count == count && utf8.allSatisfy { $0.isDigit || (0x61...0x66).contains($0) }
    }
}
