import EventStore
import Foundation
import RawHTTP
import TestPrograms
import Testing

/// A server of the built program on a directory.
struct LedgerServer: Sendable {
    let run: RunningLedger
    let port: Int

    /// Starts a server and waits until it listens.
    init(_ data: String, arguments: [String] = [], environment: [String: String] = [:]) async throws {
        run = try RunningLedger(["serve", "--data", data, "--port", "0"] + arguments, environment: environment)
        let mark = "listening on 127.0.0.1:"
        try await run.waitForErrors(mark)
        let errors = run.errors
        let place = try #require(errors.range(of: mark))
        // The rest of the line may still be on its way.
        try await Task.sleep(for: .milliseconds(5))
        port = try #require(Int(run.errors[place.upperBound...].prefix { $0.isNumber }))
    }

    /// Asks for an appointment; nil when the connection broke.
    func ask(insured: Int, schedule: Int, country: String = "PE", key: String? = nil) async throws -> Answer? {
        try await exchange(port, Self.request(insured: insured, schedule: schedule, country: country, key: key))
    }

    static func request(insured: Int, schedule: Int, country: String = "PE", key: String? = nil) -> [UInt8] {
        let body =
            #"{"insuredId":"\#(Self.insured(insured))","scheduleId":\#(schedule),"countryISO":"\#(country)"}"#
        let keyLine = key.map { "Idempotency-Key: \($0)\r\n" } ?? ""
        return post(Array(body.utf8), headers: "Content-Type: application/json\r\n" + keyLine)
    }

    static func insured(_ number: Int) -> String { String(String(100_000 + number).suffix(5)) }

    func get(_ target: String) async throws -> Answer {
        try #require(try await exchange(port, RawHTTP.request("GET \(target)")))
    }

    /// Waits until an answer holds a text; gives that answer.
    @discardableResult
    func get(_ target: String, until text: String) async throws -> Answer {
        let end = ContinuousClock.now + .seconds(120)
        while true {
            let answer = try await get(target)
            if answer.text.contains(text) { return answer }
            try #require(ContinuousClock.now < end, "\(target) never said '\(text)': \(answer.text)")
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Waits until every appointment has ended.
    func waitUntilAllEnded(seconds: Double = 60) async throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while true {
            var open = 0
            for status in ["pending", "processed"] {
                let answer = try await get("/appointments?status=\(status)&limit=1")
                guard case .array(let rows) = try answer.value("appointments") else { continue }
                open += rows.count
            }
            if open == 0 { return }
            try #require(ContinuousClock.now < end, "appointments still stand after \(seconds) s")
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Stops it as an operator does.
    func stop() async throws {
        run.signal(SIGTERM)
        try await run.waitForExit()
    }
}
