import EventStore
import Handlers
import Testing

@Suite("The contract of APIKeys")
struct APIKeysContract {
    private func key(_ name: String, _ role: Role = .intake) -> APIKey {
        APIKey(name: name, role: role, createdAt: Samples.noon)
    }

    private func digest(_ secret: String) -> Hash { Hash(of: Array(secret.utf8)) }

    @Test("A key is found by the digest of its secret", arguments: Engine.ofStores, Role.allCases)
    func found(engine: Engine, role: Role) async throws {
        let keys = try await engine.make().keys
        try await keys.add(key("desk", role), digest: digest("secret"))
        #expect(try await keys.key(digest: digest("secret")) == key("desk", role))
        #expect(try await keys.key(digest: digest("Secret")) == nil)
    }

    @Test("Keys are listed by name", arguments: Engine.ofStores)
    func listed(engine: Engine) async throws {
        let keys = try await engine.make().keys
        #expect(try await keys.list().isEmpty)
        for name in ["b", "c", "a"] { try await keys.add(key(name), digest: digest(name)) }
        #expect(try await keys.list() == ["a", "b", "c"].map { key($0) })
    }

    @Test("A name is given once, also when its key was revoked", arguments: Engine.ofStores)
    func nameTaken(engine: Engine) async throws {
        let keys = try await engine.make().keys
        try await keys.add(key("desk"), digest: digest("1"))
        #expect(await failure { try await keys.add(key("desk"), digest: digest("2")) } == .invalid)
        #expect(try await keys.revoke("desk", at: Samples.noon))
        #expect(await failure { try await keys.add(key("desk"), digest: digest("3")) } == .invalid)
        #expect(try await keys.key(digest: digest("3")) == nil)
        #expect(try await keys.list().count == 1)
    }

    @Test("A revoked key is still found, with the moment of its first revocation", arguments: Engine.ofStores)
    func revoked(engine: Engine) async throws {
        let keys = try await engine.make().keys
        try await keys.add(key("desk"), digest: digest("1"))
        try await keys.add(key("other"), digest: digest("2"))
        let moment = Samples.noon.adding(milliseconds: 5)
        #expect(try await keys.revoke("desk", at: moment))
        #expect(try await keys.revoke("desk", at: moment.adding(milliseconds: 5)) == false)
        #expect(try await keys.revoke("nobody", at: moment) == false)
        #expect(try await keys.key(digest: digest("1"))?.revokedAt == moment)
        #expect(try await keys.key(digest: digest("2"))?.revokedAt == nil)
    }
}
