import EventStore
import Foundation
import Handlers
import RawHTTP
import TestPrograms
import Testing

/// Holders and their keys, with the real program.
@Suite(.serialized) struct KeyTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private func keys(_ arguments: String...) async throws -> LedgerBinary.Outcome {
        try await LedgerBinary.run(["keys"] + arguments + ["--data", scratch.data])
    }

    private func secret(_ outcome: LedgerBinary.Outcome) throws -> String {
        try #require(outcome.status == 0, "\(outcome.errors)")
        return try #require(try JSONValue(Array(outcome.lines[0].utf8))["secret"]?.text)
    }

    private func ask(_ server: LedgerServer, _ secret: String?, _ idempotencyKey: String) async throws -> Answer {
        let keyLine = secret.map { "X-API-Key: \($0)\r\n" } ?? ""
        let body = Array(#"{"insuredId":"00123","scheduleId":100,"countryISO":"PE"}"#.utf8)
        return try #require(
            try await exchange(
                server.port,
                post(
                    body,
                    headers: "Content-Type: application/json\r\nIdempotency-Key: \(idempotencyKey)\r\n\(keyLine)")))
    }

    /// Waits until a request with a secret gets a status.
    private func wait(for status: Int, _ server: LedgerServer, _ secret: String?) async throws {
        let keyLine = secret.map { "X-API-Key: \($0)\r\n" } ?? ""
        let end = ContinuousClock.now + .seconds(60)
        while true {
            let answer = try await exchange(server.port, request("GET /appointments/00123", headers: keyLine))
            if answer?.status == status { return }
            try #require(ContinuousClock.now < end, "it is \(answer?.status ?? 0) and never was \(status)")
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    @Test("a retry over a rotation of keys is the same request, and the older secret ends when it is told to")
    func rotation() async throws {
        let first = try secret(try await keys("create", "--name", "front-desk", "--role", "intake"))
        let server = try await LedgerServer(scratch.data)
        let asked = try await ask(server, first, "visit-1")
        #expect(asked.status == 201)
        let second = try secret(try await keys("rotate", "front-desk"))
        #expect(second != first)
        let again = try await ask(server, second, "visit-1")
        #expect(again.status == 201 && again.body == asked.body)
        #expect(again.header("Idempotent-Replayed") == "true")
        let third = try await keys("rotate", "front-desk")
        #expect(third.status == 1 && third.errors.contains("--older"))
        #expect(try await keys("revoke", "front-desk", "--older", "--yes").status == 0)
        try await wait(for: 401, server, first)
        #expect(try await ask(server, second, "visit-1").body == asked.body)
        let list = try await keys("list").lines.map { try JSONValue(Array($0.utf8)) }
        #expect(list.map { $0["state"]?.text } == ["revoked", "live"])
        #expect(Set(list.map { $0["id"]?.text }).count == 2)
        #expect(list.allSatisfy { $0["name"]?.text == "front-desk" })
        try await server.stop()
        let events = try await LedgerBinary.run("audit", "--type", "requested", "--data", scratch.data)
        #expect(events.lines.count == 1 && events.output.contains("key:front-desk"))
        #expect(try await keys("records").lines.count == 3)
        #expect(try await LedgerBinary.run("verify", "--data", scratch.data).status == 0)
    }

    @Test("the first key, a role and a revocation reach a running server, which warns while it has no key")
    func running() async throws {
        let server = try await LedgerServer(scratch.data)
        try await server.run.waitForErrors("there are no API keys")
        #expect(try await server.get("/appointments/00123").status == 200)
        let secret = try secret(try await keys("create", "--name", "front-desk", "--role", "intake"))
        try await wait(for: 401, server, nil)
        try await wait(for: 200, server, secret)
        #expect(try await keys("role", "front-desk", "--role", "auditor").status == 0)
        try await wait(for: 403, server, secret)
        #expect(try await keys("revoke", "front-desk", "--yes").status == 0)
        try await wait(for: 401, server, secret)
        #expect(try await server.get("/metrics").status == 401)
        try await server.stop()
    }

    @Test("a role that was changed in the file is found by verify")
    func tampered() async throws {
        _ = try secret(try await keys("create", "--name", "front-desk", "--role", "intake"))
        #expect(try await LedgerBinary.run("verify", "--data", scratch.data).status == 0)
        let script =
            "import sqlite3,sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()"
        let change = try RunningLedger(
            ["-c", script, scratch.data + "/ledger.sqlite", "UPDATE api_keys SET role='admin'"],
            program: "/usr/bin/python3")
        #expect(try await change.waitForExit() == 0, "\(change.errors)")
        let outcome = try await LedgerBinary.run("verify", "--data", scratch.data)
        #expect(outcome.status == 2)
        #expect(outcome.output.contains("key-differs"))
        #expect(outcome.output.contains("role admin instead of intake"))
    }

    @Test("behind a trusted proxy callers are told apart, and a wrong setting is named")
    func proxies() async throws {
        let wrong = try await LedgerBinary.run(
            ["serve", "--data", scratch.data, "--port", "0", "--trusted-proxy", "proxy.example"])
        #expect(wrong.status == 1 && wrong.errors.contains("--trusted-proxy"))
        let variable = try await LedgerBinary.run(
            ["serve", "--data", scratch.data, "--port", "0"], environment: ["TRUSTED_PROXIES": "10.0.0.1/8"])
        #expect(variable.status == 1 && variable.errors.contains("TRUSTED_PROXIES"))
        let server = try await LedgerServer(
            scratch.data, arguments: ["--trusted-proxy", "127.0.0.1", "--log-level", "debug"])
        let forwarded = request("GET /health/live", headers: "X-Forwarded-For: 203.0.113.9\r\n")
        #expect(try await exchange(server.port, forwarded)?.status == 200)
        try await server.run.waitForErrors(#""address":"203.0.113.9""#)
        let metrics = request("GET /metrics", headers: "X-Forwarded-For: 203.0.113.9\r\n")
        #expect(try await exchange(server.port, metrics)?.status == 401)
        try await server.stop()
    }
}
