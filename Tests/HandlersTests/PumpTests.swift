import EventStore
import Handlers
import Logging
import Synchronization
import Testing

@Suite struct PumpTests {
    @Test("a ring between looking and waiting is not lost")
    func ring() async {
        let bell = Doorbell()
        let seen = bell.rings
        bell.ring()
        await bell.wait(since: seen, atMostMilliseconds: 60_000)
        #expect(bell.rings == seen + 1)
    }

    @Test("all who wait are woken, a time-out ends the wait, and so does a cancelled task")
    func wakes() async {
        let bell = Doorbell()
        await bell.wait(since: bell.rings, atMostMilliseconds: 1)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 { group.addTask { await bell.wait(since: 0, atMostMilliseconds: 60_000) } }
            try? await Task.sleep(for: .milliseconds(5))
            bell.ring()
        }
        let task = Task { await bell.wait(since: bell.rings, atMostMilliseconds: 60_000) }
        task.cancel()
        await task.value
    }
}

@Suite struct LogTests {
    private final class Lines: Sendable {
        let all = Mutex<[[UInt8]]>([])
    }

    private func log(_ message: Logger.Message, _ metadata: Logger.Metadata) throws -> JSONValue {
        let lines = Lines()
        let handler = JSONLogHandler(
            service: "ledger", logLevel: .info, now: { Timestamp(milliseconds: 1_795_504_253_123) },
            write: { line in lines.all.withLock { $0.append(line) } })
        Logger(label: "test", factory: { _ in handler }).notice(message, metadata: metadata)
        let line = try #require(lines.all.withLock { $0.first })
        #expect(line.last == 10)
        #expect(line.count { $0 == 10 } == 1)
        return try JSONValue(Array(line.dropLast()))
    }

    @Test("a record is one JSON object on one line, whatever is in it")
    func shape() throws {
        let record = try log("two\nlines \u{1B}[31m", ["requestId": "r-1", "b": "\"", "a": "x"])
        #expect(
            String(decoding: record.bytes, as: UTF8.self)
                == #"""
                {"timestamp":"2026-11-24T07:10:53.123Z","level":"NOTICE","requestId":"r-1","service":"ledger",\#
                "message":"two\u000alines \u001b[31m","data":{"a":"x","b":"\""}}
                """#
        )
    }

    @Test("text is cut to 128 bytes, not inside a character, and an insured id is masked whoever put it there")
    func cut() throws {
        let record = try log("é", ["long": "\(String(repeating: "é", count: 100))x", "insuredId": "00123"])
        #expect(record["data"]?["long"]?.text == String(repeating: "é", count: 64))
        #expect(record["data"]?["insuredId"]?.text == "***23")
        #expect(JSONLogHandler.cut("a" + String(repeating: "é", count: 64)).utf8.count == 127)
    }
}
