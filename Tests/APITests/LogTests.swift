import API
import Appointments
import EventStore
import LogService
import MemoryEngine
import RawHTTP
import Testing
import TransparencyLog

/// The log that anybody with a key may check.
@Suite struct LogTests {
    /// An appointment that was completed, and a signed log of its events.
    private func world() async throws -> (World, appointment: String) {
        let world = try World()
        let appointment = try await world.ask()
        try await world.complete(appointment)
        #expect(try await world.checkpointer.sign().state == .signed)
        return (world, appointment)
    }

    private var trust: TrustPolicy {
        get throws {
            let seed = [UInt8](repeating: 5, count: 32)
            return TrustPolicy(log: try SigningKey(name: "log.example/world", type: .ed25519, seed: seed).verifier)
        }
    }

    @Test("before the first checkpoint there is a key, and nothing else")
    func empty() async throws {
        let world = try World()
        let appointment = try await world.ask()
        let targets = [
            "checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1", "tile/0/x", "proof/\(appointment)/1",
            "history/\(appointment)",
        ]
        for target in targets {
            let answer = try await world.send("GET", "/ledger/\(target)")
            #expect(answer.status == 404, "\(target)")
            #expect(answer.errorCode == "LOG_EMPTY", "\(target)")
        }
        let key = try await world.send("GET", "/ledger/key")
        #expect(key.text == "\(try #require(try trust.logs.first).key)\n")
    }

    @Test("the checkpoint is a note that the key signs, and is asked for each time")
    func checkpoint() async throws {
        let (world, _) = try await world()
        let answer = try await world.send("GET", "/ledger/checkpoint")
        #expect(answer.header("Content-Type") == "text/plain; charset=utf-8")
        #expect(answer.header("Cache-Control") == "no-cache")
        let trusted = try trust.judge(try SignedNote(answer.body))
        #expect(trusted.checkpoint.size == world.store.headNow)
        // What is recorded now is in the next one.
        _ = try await world.ask(insured: "00124")
        #expect(try await world.send("GET", "/ledger/checkpoint").body == answer.body)
    }

    @Test("tiles and entries are those of the log, and only what is complete may be kept")
    func tiles() async throws {
        let world = try World()
        for number in 0..<300 {
            _ = try await world.ask(schedule: 1 + number)
        }
        #expect(try await world.checkpointer.sign().state == .signed)
        let leaves = world.store.eventsNow(after: 0, limit: 300).map { Hash.leaf(of: $0.entry.bytes) }
        for (target, range) in [("tile/0/000", 0..<256), ("tile/0/001.p/44", 256..<300), ("tile/0/000.p/7", 0..<7)] {
            let answer = try await world.send("GET", "/ledger/\(target)")
            #expect(answer.body == Tile.encode(Array(leaves[range])), "\(target)")
            #expect(answer.header("Content-Type") == "application/octet-stream")
            let isFull = range.count == 256
            #expect(answer.header("Cache-Control") == (isFull ? "public, max-age=31536000, immutable" : "no-store"))
        }
        let above = try await world.send("GET", "/ledger/tile/1/000.p/1")
        var frontier = Frontier()
        for leaf in leaves[..<256] { frontier.append(leaf) }
        #expect(above.body == frontier.root.bytes)
        let bundle = try await world.send("GET", "/ledger/tile/entries/001.p/44")
        let entries = try EntryBundle.decode(bundle.body, count: 44)
        #expect(entries.map { Hash.leaf(of: $0) } == Array(leaves[256...]))
    }

    @Test(
        "what the checkpoint does not cover, or is not written as it has to be, is not in the log",
        arguments: [
            "tile/0/000", "tile/0/000.p/5", "tile/0/001", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/257",
            "tile/0/000.p/04", "tile/0/x000/000.p/4", "tile/0/0", "tile/0/0000.p/4", "tile/00/000.p/4",
            "tile/8/000.p/1", "tile/64/000.p/1", "tile/1/000.p/1", "tile/entries/000.p/5", "tile/entries/x001/234",
            "tile/0/000.P/4", "tile/0/000.p/+4", "tile/0/%30%30%30.p/4", "tile/-1/000.p/4", "tile/0/000.p/4/",
        ])
    func notCovered(target: String) async throws {
        let (world, _) = try await world()
        #expect(try await world.send("GET", "/ledger/tile/0/000.p/4").status == 200)
        let answer = try await world.send("GET", "/ledger/\(target)")
        #expect(answer.status == 404)
        #expect(answer.errorCode == "NOT_IN_LOG")
    }

    @Test("an event's proof holds, and what has none is told apart from what can't be")
    func proof() async throws {
        let (world, appointment) = try await world()
        for event in world.store.eventsNow(after: 0, limit: 10) {
            let answer = try await world.send("GET", "/ledger/proof/\(appointment)/\(event.version)")
            #expect(answer.header("Content-Type") == "text/plain; charset=utf-8")
            try LogProof(answer.body).verify(Hash.leaf(of: event.entry.bytes), by: try trust)
        }
        let later = try await world.ask(insured: "00124")
        for target in ["\(appointment)/5", "\(UUIDs.some)/1", "\(later)/1"] {
            let answer = try await world.send("GET", "/ledger/proof/\(target)")
            #expect(answer.errorCode == "NOT_IN_LOG", "\(target)")
        }
        for version in ["0", "-1", "x", "1.0", "01", "9007199254740992"] {
            let answer = try await world.send("GET", "/ledger/proof/\(appointment)/\(version)")
            #expect(answer.codes("version") == ["VALIDATION_FAILED"], "\(version)")
        }
        let wrong = try await world.send("GET", "/ledger/proof/1/x?y=1")
        #expect(wrong.codes("appointmentId") == ["VALIDATION_FAILED"])
        #expect(wrong.codes("version") == ["VALIDATION_FAILED"])
        #expect(wrong.codes("y") == ["INVALID_QUERY_PARAM"])
    }

    @Test("a history is proved whole, absence too, and who was shown one is recorded")
    func history() async throws {
        let (world, appointment) = try await world()
        let answer = try await world.send("GET", "/ledger/history/\(appointment)")
        #expect(answer.header("Content-Type") == "application/json")
        #expect(try HistoryProof(answer.body).verify(by: try trust).entries.count == 4)
        let absent = try await world.send("GET", "/ledger/history/\(UUIDs.some)")
        #expect(absent.status == 200)
        #expect(absent.text.contains(#""events":[]"#))
        #expect(try HistoryProof(absent.body).verify(by: try trust).entries.isEmpty)
        let shown = try await world.trail.accesses(matching: AccessFilter(), limit: 10)
        #expect(shown.map(\.rows) == [0, 4])
    }

    @Test("an alarm of the log is told in health and metrics, and keeps no request from its answer")
    func alarm() async throws {
        let (world, _) = try await world()
        let ready = try await world.send("GET", "/health/ready")
        #expect(ready.text.contains(#""log":{"state":"signed","size":4,"signed":4}"#))
        // The log that was signed had more events than the one that is here.
        let (store, signer) = (world.checkpointer.store, world.checkpointer.signer)
        let text = try Checkpoint(origin: signer.key.name, size: 100, root: Hash(of: [1])).text
        let note = try await signer.note(over: text)
        #expect(try await store.replace(try await store.last(), with: note.bytes))
        let alarm = try await world.send("GET", "/health/ready")
        #expect(alarm.status == 200)
        #expect(alarm.text.contains(#""log":{"state":"cut-off","size":4,"signed":100,"problem":"#), "\(alarm.text)")
        let metrics = try await world.send("GET", "/metrics").text
        #expect(metrics.contains(#"ledger_log_state{state="cut-off"} 1"#))
        #expect(metrics.contains("ledger_log_alarm 1"))
        #expect(try await world.send("POST", "/appointments", body: World.request).status == 201)
        #expect(try await world.send("GET", "/ledger/checkpoint").body == note.bytes)
    }
}
