import EventStore
import Foundation
import GRDB
import Replay
import TestEngines
import Testing

@testable import SQLiteEngine

/// Keys that were changed in the file, behind the program's back, and files of the program before.
@Suite struct KeyTamperingTests {
    private let path: String

    init() throws { path = try ScratchFile().path }

    private func digest(_ secret: String) -> Hash { Hash(of: Array(secret.utf8)) }

    /// Another connection, as a person with the file has it.
    private func tamper(_ sql: String) throws {
        try otherConnection(to: path).writeWithoutTransaction { try $0.execute(sql: sql) }
    }

    private func makeKeys() async throws -> SQLiteAPIKeys {
        let keys = SQLiteAPIKeys(try SQLiteFile(path: path))
        let commands: [KeyCommand] = [
            .create(name: "desk", role: .intake, digest: digest("1")), .rotate(name: "desk", digest: digest("2")),
            .create(name: "other", role: .auditor, digest: digest("3")), .revoke(name: "desk", .older),
        ]
        for command in commands { _ = try await keys.carryOut(command, by: "operator:ana", at: Samples.noon) }
        return keys
    }

    @Test(
        "a key that was changed in the file is found, and is not changed further",
        arguments: [
            "UPDATE api_keys SET role = 'admin' WHERE name = 'desk'", "UPDATE api_keys SET revoked = NULL",
            "UPDATE api_keys SET digest = randomblob(32) WHERE revoked IS NULL AND name = 'desk'",
            "UPDATE api_keys SET created = created - 1", "UPDATE api_keys SET name = 'desk' WHERE name = 'other'",
            "DELETE FROM api_keys WHERE name = 'desk'", "UPDATE api_keys SET role = 'king'",
            "INSERT INTO api_keys SELECT randomblob(32), 'desk', 'admin', 0, NULL",
            "DROP TRIGGER key_records_are_never_deleted; DELETE FROM key_records WHERE number = 4",
        ])
    func keys(sql: String) async throws {
        let keys = try await makeKeys()
        #expect(try await KeyCheck(keys).run().isClean)
        try tamper(sql)
        let report = try await KeyCheck(keys).run()
        #expect(!report.isClean)
        #expect(report.findings.allSatisfy { $0.kind == .keyDiffers }, "\(report.findings)")
        let error = await #expect(throws: EventStoreError.self) {
            try await keys.carryOut(.setRole(name: "desk", role: .operator), by: "operator:ana", at: Samples.noon)
        }
        #expect(error?.code == .corrupt)
    }

    @Test(
        "a record that was changed, taken out or put in between is found",
        arguments: [
            "UPDATE key_records SET role = 'admin' WHERE number = 1", "UPDATE key_records SET actor = 'operator:eva'",
            "UPDATE key_records SET hash = zeroblob(32) WHERE number = 4", "DELETE FROM key_records WHERE number = 2",
            "DELETE FROM key_records WHERE number = 1", "UPDATE key_records SET number = number + 1 WHERE number = 4",
            "UPDATE key_records SET hash = x'00' WHERE number = 3", "UPDATE key_records SET digest = NULL",
            "INSERT INTO key_records SELECT 5, at, actor, change, name, role, digest, hash FROM key_records LIMIT 1",
        ])
    func records(sql: String) async throws {
        let keys = try await makeKeys()
        try tamper(
            "DROP TRIGGER key_records_are_never_updated; DROP TRIGGER key_records_are_never_deleted; \(sql)")
        #expect(try await KeyCheck(keys).run().findings.map(\.kind) == [.keyRecordBroken])
    }

    @Test(
        "a record can't be changed, deleted or replaced, from a connection without pragmas either",
        arguments: [
            "UPDATE key_records SET role = 'admin'", "DELETE FROM key_records",
            "UPDATE OR REPLACE key_records SET number = 1 WHERE number = 2",
            "INSERT OR REPLACE INTO key_records SELECT * FROM key_records",
        ])
    func appendOnly(sql: String) async throws {
        let keys = try await makeKeys()
        #expect(throws: DatabaseError.self) { try tamper(sql) }
        #expect(try await keys.records().count == 4)
        #expect(try await KeyCheck(keys).run().isClean)
    }

    @Test("keys of the program before go on, and get their records")
    func migrated() async throws {
        let queue = try otherConnection(to: path)
        try Schema.migrator.migrate(queue, upTo: "10 movement of view sets")
        try await queue.write { database in
            for (name, revoked) in [("desk", nil), ("old", 1_772_463_600_000 as Int64?)] {
                try database.execute(
                    sql: "INSERT INTO api_keys VALUES (?, ?, 'operator', 1772463500000, ?)",
                    arguments: [Data(digest(name).bytes), name, revoked])
            }
        }
        try queue.close()
        let keys = SQLiteAPIKeys(try SQLiteFile(path: path))
        #expect(try await keys.key(digest: digest("desk"))?.isLive == true)
        #expect(try await keys.key(digest: digest("old"))?.isLive == false)
        #expect(try await keys.records().count == 3)
        #expect(try await KeyCheck(keys).run().isClean)
        let rotate = KeyCommand.rotate(name: "desk", digest: digest("second"))
        #expect(try await keys.carryOut(rotate, by: "operator:ana", at: Samples.noon).count == 1)
        #expect(try await keys.list().filter { $0.name == "desk" && $0.isLive }.count == 2)
        #expect(try await KeyCheck(keys).run().isClean)
    }
}
