import Appointments
import EventStore
import Foundation
import GRDB
import TestEngines
import Testing

@testable import SQLiteEngine

/// A file of the program before, which had tables of claims and refusals for each country.
@Suite struct ClaimsMigrationTests {
    private static let now = Samples.noon

    /// A file after the last step of the program before, with two slots held, one given back, and two refusals.
    private func fileOfBefore() async throws -> String {
        let path = try ScratchFile().path
        let queue = try otherConnection(to: path)
        try Schema.migrator.migrate(queue, upTo: "16 probe")
        let start = Self.now.adding(milliseconds: 86_400_000).milliseconds
        try await queue.write { database in
            for (schedule, country) in [(1, "PE"), (2, "PE"), (1001, "CL")] {
                try database.execute(
                    sql: "INSERT INTO schedules VALUES (?, ?, 1, 1, ?, ?)",
                    arguments: [schedule, country, schedule, start])
            }
            let claims: [(String, Int, Int, Int64?)] = [
                ("pe", 10, 1, nil), ("pe", 11, 2, 1_772_463_700_000), ("cl", 20, 1001, nil),
            ]
            for (country, appointment, schedule, released) in claims {
                try database.execute(
                    sql: "INSERT INTO appointments_\(country) VALUES (?, ?, ?, ?, 1772463600000, ?)",
                    arguments: [
                        Data(Samples.id(appointment).bytes), schedule, Data(Samples.id(appointment + 100).bytes),
                        start, released,
                    ])
            }
            // The same appointment was refused in both countries, for reasons of their own.
            for (country, appointment, reason) in [
                ("pe", 11, "PROCESSING_EXHAUSTED"), ("pe", 12, "SLOT_TAKEN"), ("cl", 12, "SCHEDULE_NOT_FOUND"),
            ] {
                try database.execute(
                    sql: "INSERT INTO refusals_\(country) VALUES (?, ?, 1772463700000)",
                    arguments: [Data(Samples.id(appointment).bytes), reason])
            }
        }
        try queue.close()
        return path
    }

    private func claim(_ appointment: Int, _ schedule: Int64, _ country: Country) throws -> SlotClaim {
        SlotClaim(
            appointment: Samples.appointment(appointment), schedule: try Samples.schedule(schedule), country: country,
            subject: Samples.id(appointment + 100), now: Self.now)
    }

    @Test("slots, claims and refusals are moved with their countries, and booking goes on")
    func moved() async throws {
        let path = try await fileOfBefore()
        let file = try SQLiteFile(path: path)
        let (peru, chile) = (SQLiteCountryDatabase(file, .peru), SQLiteCountryDatabase(file, .chile))
        #expect(try await peru.schedules(after: nil, limit: 9).map(\.holder) == [Samples.appointment(10), nil])
        #expect(try await chile.schedules(after: nil, limit: 9).map(\.holder) == [Samples.appointment(20)])
        let standing = try #require(try await peru.claims(after: nil, limit: 9).first)
        #expect(standing.subject == Samples.id(110) && standing.claimed.milliseconds == 1_772_463_600_000)
        #expect(try await peru.claims(after: nil, limit: 9).count == 1)
        #expect(try await chile.claims(after: nil, limit: 9).map(\.appointment) == [Samples.appointment(20)])
        // What was held is held, what was refused is refused, what was given back is free.
        guard case .held = try await peru.claim(claim(10, 1, .peru)) else {
            Issue.record("the claim is gone")
            return
        }
        #expect(try await peru.claim(claim(13, 1, .peru)) == .refused(.slotTaken))
        #expect(try await peru.claim(claim(11, 2, .peru)) == .refused(.processingExhausted))
        #expect(try await peru.claim(claim(12, 2, .peru)) == .refused(.slotTaken))
        #expect(try await chile.claim(claim(12, 1001, .chile)) == .refused(.scheduleNotFound))
        guard case .held = try await peru.claim(claim(14, 2, .peru)) else {
            Issue.record("a slot that was given back can't be booked")
            return
        }
        let tables = try await file.scan { database in
            try String.fetchAll(database, sql: "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        }
        #expect(!tables.contains { $0.hasSuffix("_pe") || $0.hasSuffix("_cl") })
    }
}
