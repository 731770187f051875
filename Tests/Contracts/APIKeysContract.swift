import EventStore
import Replay
import TestEngines
import Testing

@Suite("The contract of APIKeys")
struct APIKeysContract {
    private func digest(_ secret: String) -> Hash { Hash(of: Array(secret.utf8)) }

    private func key(_ name: String, _ role: Role = .intake, _ secret: String, revoked: Int64? = nil) -> APIKey {
        APIKey(
            name: name, role: role, digest: digest(secret), createdAt: Samples.noon,
            revokedAt: revoked.map { Samples.noon.adding(milliseconds: $0) })
    }

    /// Carries out a command some milliseconds after noon.
    @discardableResult
    private func carryOut(
        _ command: KeyCommand, on keys: any APIKeys, at milliseconds: Int64 = 0
    ) async throws -> [KeyRecord] {
        try await keys.carryOut(command, by: "operator:ana", at: Samples.noon.adding(milliseconds: milliseconds))
    }

    private func create(
        _ name: String, _ role: Role = .intake, _ secret: String, on keys: any APIKeys
    ) async throws {
        try await carryOut(.create(name: name, role: role, digest: digest(secret)), on: keys)
    }

    @Test("a key is found by the digest of its secret", arguments: Engine.ofStores, Role.allCases)
    func found(engine: Engine, role: Role) async throws {
        let keys = try await engine.make().keys
        try await create("desk", role, "secret", on: keys)
        #expect(try await keys.key(digest: digest("secret")) == key("desk", role, "secret"))
        #expect(try await keys.key(digest: digest("Secret")) == nil)
    }

    @Test("keys are listed by holder and age", arguments: Engine.ofStores)
    func listed(engine: Engine) async throws {
        let keys = try await engine.make().keys
        #expect(try await keys.list().isEmpty)
        for name in ["b", "c", "a"] { try await create(name, .intake, name, on: keys) }
        try await carryOut(.rotate(name: "b", digest: digest("b2")), on: keys, at: 5)
        #expect(try await keys.list().map(\.name) == ["a", "b", "b", "c"])
        #expect(try await keys.list()[1] == key("b", .intake, "b"))
        #expect(try await keys.list()[2].createdAt == Samples.noon.adding(milliseconds: 5))
    }

    @Test("a holder is made once, also when all keys were revoked", arguments: Engine.ofStores)
    func nameTaken(engine: Engine) async throws {
        let keys = try await engine.make().keys
        try await create("desk", .intake, "1", on: keys)
        #expect(await failure { try await create("desk", .intake, "2", on: keys) } == .invalid)
        try await carryOut(.revoke(name: "desk", .all), on: keys)
        #expect(await failure { try await create("desk", .intake, "3", on: keys) } == .invalid)
        #expect(try await keys.key(digest: digest("3")) == nil)
        #expect(try await keys.list().count == 1)
        // What was done before is done, whoever asks again.
        #expect(try await carryOut(.create(name: "desk", role: .intake, digest: digest("1")), on: keys).isEmpty)
    }

    @Test("a revoked key is still found, with the moment of its revocation", arguments: Engine.ofStores)
    func revoked(engine: Engine) async throws {
        let keys = try await engine.make().keys
        try await create("desk", .intake, "1", on: keys)
        try await create("other", .intake, "2", on: keys)
        try await carryOut(.revoke(name: "desk", .all), on: keys, at: 5)
        #expect(await failure { try await carryOut(.revoke(name: "desk", .all), on: keys, at: 10) } == .invalid)
        #expect(await failure { try await carryOut(.revoke(name: "nobody", .all), on: keys) } == .invalid)
        #expect(try await keys.key(digest: digest("1")) == key("desk", .intake, "1", revoked: 5))
        #expect(try await keys.key(digest: digest("2"))?.revokedAt == nil)
    }

    @Test(
        "a holder has two live secrets at most, and the older one can be told whatever the clock did",
        arguments: Engine.ofStores)
    func rotated(engine: Engine) async throws {
        let keys = try await engine.make().keys
        #expect(await failure { try await carryOut(.rotate(name: "desk", digest: digest("1")), on: keys) } == .invalid)
        try await create("desk", .auditor, "1", on: keys)
        #expect(await failure { try await carryOut(.revoke(name: "desk", .older), on: keys) } == .invalid)
        // The clock was set back meanwhile.
        try await carryOut(.rotate(name: "desk", digest: digest("2")), on: keys, at: -7_200_000)
        #expect(try await keys.key(digest: digest("2"))?.role == .auditor)
        #expect(await failure { try await carryOut(.rotate(name: "desk", digest: digest("3")), on: keys) } == .invalid)
        try await carryOut(.revoke(name: "desk", .older), on: keys, at: -7_200_000)
        #expect(try await keys.key(digest: digest("1"))?.isLive == false)
        #expect(try await keys.key(digest: digest("2"))?.isLive == true)
        try await carryOut(.rotate(name: "desk", digest: digest("3")), on: keys, at: 1)
        let id = APIKey.id(of: digest("2"))
        #expect(await failure { try await carryOut(.revoke(name: "desk", .id("none")), on: keys) } == .invalid)
        try await carryOut(.revoke(name: "desk", .id(id)), on: keys, at: 2)
        #expect(try await keys.list().filter(\.isLive).map(\.digest) == [digest("3")])
        try await carryOut(.revoke(name: "desk", .all), on: keys, at: 3)
        // A holder whose secret was lost gets another, and is the same holder.
        try await carryOut(.rotate(name: "desk", digest: digest("4")), on: keys, at: 4)
        #expect(try await keys.list().filter(\.isLive).map(\.name) == ["desk"])
        #expect(try await KeyCheck(keys).run().isClean)
    }

    @Test("a role is the holder's: live keys get it, those that ended keep theirs", arguments: Engine.ofStores)
    func role(engine: Engine) async throws {
        let keys = try await engine.make().keys
        try await create("desk", .intake, "1", on: keys)
        try await carryOut(.rotate(name: "desk", digest: digest("2")), on: keys, at: 1)
        try await carryOut(.revoke(name: "desk", .older), on: keys, at: 2)
        #expect(try await carryOut(.setRole(name: "desk", role: .intake), on: keys).isEmpty)
        try await carryOut(.setRole(name: "desk", role: .operator), on: keys, at: 3)
        try await carryOut(.rotate(name: "desk", digest: digest("3")), on: keys, at: 4)
        #expect(try await keys.list().map(\.role) == [.intake, .operator, .operator])
        #expect(await failure { try await carryOut(.setRole(name: "nobody", role: .admin), on: keys) } == .invalid)
        #expect(try await KeyCheck(keys).run().isClean)
    }

    @Test("each change is a record that names the hash of the one before", arguments: Engine.ofStores)
    func recorded(engine: Engine) async throws {
        let keys = try await engine.make().keys
        try await create("desk", .intake, "1", on: keys)
        try await carryOut(.rotate(name: "desk", digest: digest("2")), on: keys, at: 1)
        try await carryOut(.setRole(name: "desk", role: .admin), on: keys, at: 2)
        try await carryOut(.revoke(name: "desk", .all), on: keys, at: 3)
        let records = try await keys.records()
        #expect(records.map(\.number) == [1, 2, 3, 4, 5])
        let read = try records.map { try #require(KeyRecord(fields: $0.fields)) }
        #expect(read.map(\.change) == [.created, .rotated, .roleChanged, .revoked, .revoked])
        #expect(read.allSatisfy { $0.by == "operator:ana" && $0.name == "desk" })
        #expect(KeyHistory(read).keys.inOrder == (try await keys.list()))
        var chain = RecordChain(KeyRecord.chainName)
        #expect(records.allSatisfy { chain.append($0.fields) == $0.hash })
        #expect(try await KeyCheck(keys).run().isClean)
    }

    @Test("changes at the same time are all recorded, one after the other", arguments: Engine.ofStores)
    func together(engine: Engine) async throws {
        let keys = try await engine.make().keys
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<4 {
                group.addTask {
                    // Who comes last too often is told to try again.
                    for _ in 0..<20 {
                        let made: Void? = try? await create("desk-\(number)", .intake, "\(number)", on: keys)
                        if made != nil { break }
                    }
                }
            }
        }
        #expect(try await keys.list().count == 4)
        #expect(try await keys.records().count == 4)
        #expect(try await KeyCheck(keys).run().isClean)
    }

    @Test("a name with five digits in a row is refused", arguments: Engine.ofStores)
    func number(engine: Engine) async throws {
        let keys = try await engine.make().keys
        for name in ["70123", "desk-70123", "a70123b"] {
            #expect(await failure { try await create(name, .intake, "1", on: keys) } == .invalid)
        }
        try await create("desk-701234", .intake, "1", on: keys)
        #expect(try await keys.records().count == 1)
    }
}
