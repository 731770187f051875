import GRDB
import Migrations
import Testing

@testable import SQLiteEngine

/// The steps of the embedded ledger's file are what older programs have applied to it.
@Suite struct EmbeddedSchemaTests {
    /// The steps as files of released programs name them. Lines are added, never changed.
    private static let identities = [
        "1 events", "2 appointments", "3 messages", "4 countries", "5 access", "6 view sets", "7 projections",
        "8 audit access", "9 refusals", "10 movement of view sets", "11 protection", "12 records of keys",
        "13 counts of events", "14 epochs", "15 agenda", "16 probe", "17 claims of all countries", "18 log tree",
    ]

    @Test("each step has the name that older files know it by")
    func identities() { #expect(Schema.migrator.migrations == Self.identities) }

    @Test("the code that a step asks for is there, and all code that is there is asked for")
    func code() {
        let asked = Migration.embedded.flatMap { SchemaStep($0).code }
        #expect(asked == ["chain the accesses", "adopt the keys"])
        #expect(Set(asked) == Set(Schema.code.keys))
    }

    @Test("a step that asks for unknown code is refused")
    func unknownCode() throws {
        let step = SchemaStep(Migration(name: "099-x-y.sql", sql: Array("-- code: nobody's\nSELECT 1;".utf8)))
        #expect(step.identity == "99 x y")
        #expect(throws: (any Error).self) { try DatabaseQueue().write { try step.apply(to: $0) } }
    }
}
