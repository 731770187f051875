import Appointments
import EventStore
import GRDB
import TestEngines
import Testing

@testable import SQLiteEngine

/// Large changes of the agenda in the embedded file, which are made beside the live one.
@Suite struct AgendaTests {
    private static let count: Int64 = 3500
    private let path: String
    private let file: SQLiteFile
    private let peru: SQLiteCountryDatabase

    init() throws {
        path = try ScratchFile().path
        file = try SQLiteFile(path: path)
        peru = SQLiteCountryDatabase(file, .peru)
    }

    /// Slots of fifty medics, each half an hour behind the one before.
    private func slots(_ numbers: ClosedRange<Int64>, laterBy minutes: Int64 = 0) throws -> [Slot] {
        try numbers.map { number in
            let date = Samples.noon.adding(milliseconds: (number / 50 * 30 + minutes) * 60_000)
            return Slot(
                schedule: try Samples.schedule(number), center: 1, specialty: 1, medic: number % 50, date: date)
        }
    }

    private func listed() async throws -> [Slot] {
        try await peru.schedules(after: nil, limit: .max).map(\.slot)
    }

    private func claim(_ schedule: Int64) throws -> SlotClaim {
        SlotClaim(
            appointment: Samples.appointment(Int(schedule)), schedule: try Samples.schedule(schedule), country: .peru,
            subject: Samples.id(Int(schedule)), now: Samples.noon.adding(milliseconds: -3_600_000))
    }

    @Test("a large agenda is added, shifted and added to, whatever was booked and given back of it")
    func large() async throws {
        let first = try slots(50...Self.count)
        try await peru.add(first)
        #expect(try await listed() == first)
        #expect(try await peru.claim(claim(51)) == .held(first[1]))
        _ = try await peru.claim(claim(52))
        try await peru.release(Samples.appointment(52), at: Samples.noon)
        // Each takes the place of the next; what is held stands in the way.
        let shifted = try slots(50...Self.count, laterBy: 30)
        await #expect(throws: EventStoreError.self) { try await peru.add(shifted) }
        #expect(try await listed() == first)
        try await peru.release(Samples.appointment(51), at: Samples.noon)
        try await peru.add(shifted)
        #expect(try await listed() == shifted)
        try await SQLiteCountryDatabase(file, .chile).add([Samples.slot(9, at: Samples.noon)])
        // The claims still name the table that is there, and it has its rules.
        #expect(try await peru.claim(claim(53)) == .held(shifted[3]))
        await #expect(throws: EventStoreError.self) {
            try await peru.add([
                Slot(schedule: Samples.schedule(9999), center: 2, specialty: 1, medic: 3, date: shifted[3].date)
            ])
        }
        let connection = try otherConnection(to: path)
        let (broken, tables) = try await connection.read { database in
            (
                try Row.fetchAll(database, sql: "PRAGMA foreign_key_check").count,
                try String.fetchAll(database, sql: "SELECT name FROM sqlite_master WHERE name LIKE 'schedules_%'")
            )
        }
        #expect(broken == 0)
        #expect(tables.allSatisfy { $0.hasSuffix("_by_country") || $0.hasSuffix("_by_medic") }, "\(tables)")
        await #expect(throws: DatabaseError.self) {
            try await connection.write {
                try $0.execute(
                    sql: "INSERT INTO schedules SELECT 9999, country, 9, 9, medic, date FROM schedules LIMIT 1")
            }
        }
    }

    @Test("what an import that was stopped has left is neither seen nor in the way")
    func stopped() async throws {
        let first = try slots(50...1500)
        try await peru.add(first)
        // As a process leaves it that dies between two pieces, and one that dies while it clears up.
        let left = SQLiteAgenda.table("schedules_next") + SQLiteAgenda.indexes(of: "schedules_next", mark: 2)
        try await file.write { writing in
            try writing.database.execute(sql: left + "INSERT INTO schedules_next SELECT * FROM schedules")
            try writing.database.execute(sql: SQLiteAgenda.table("schedules_gone"))
            try writing.database.execute(sql: "INSERT INTO schedules_gone SELECT * FROM schedules")
        }
        #expect(try await listed() == first)
        let next = try slots(50...Self.count, laterBy: 60)
        try await peru.add(next)
        #expect(try await listed() == next)
    }

    @Test("bookings beside a large change hold what is there afterwards, and readers see one agenda or the other")
    func beside() async throws {
        let first = try slots(50...Self.count)
        try await peru.add(first)
        let others = first.map { slot in
            Slot(
                schedule: slot.schedule, center: slot.center, specialty: slot.specialty, medic: slot.medic + 100,
                date: slot.date)
        }
        let other = SQLiteCountryDatabase(try SQLiteFile(path: path), .peru)
        async let change: Void = {
            while true {
                // Whoever books meanwhile wins, and the change is given again without their slots.
                let held = Set(try await other.claims(after: nil, limit: .max).map(\.schedule))
                do {
                    return try await other.add(others.filter { !held.contains($0.schedule) })
                } catch let error as EventStoreError where error.slotRefusals != nil {}
            }
        }()
        var booked: [Slot] = []
        for number in Int64(60)...90 {
            guard case .held(let slot) = try await peru.claim(claim(number)) else {
                Issue.record("slot \(number) is free")
                continue
            }
            booked.append(slot)
            let seen = try await listed()
            // What is booked stays as it was; all the rest has one agenda.
            let rest = seen.filter { $0.schedule.number > 90 }
            #expect(seen.count == first.count && Set(rest.map { $0.medic >= 100 }).count == 1)
        }
        try await change
        let now = try await listed()
        for slot in booked { #expect(now.contains(slot)) }
    }

    @Test("slots that overlapped before it was refused stay, and a ledger with them opens")
    func before() async throws {
        let path = try ScratchFile().path
        do {
            let connection = try otherConnection(to: path)
            try Schema.migrator.migrate(connection, upTo: "10 movement of view sets")
            try await connection.write { database in
                try database.execute(
                    sql: """
                        INSERT INTO schedules VALUES (1, 'PE', 1, 1, 1, 1772470800000),
                            (2, 'PE', 2, 1, 1, 1772470800000), (3, 'PE', 1, 1, 1, 1772471400000)
                        """)
            }
        }
        let peru = SQLiteCountryDatabase(try SQLiteFile(path: path), .peru)
        let three = try await peru.schedules(after: nil, limit: 9).map(\.slot)
        #expect(three.count == 3)
        // The same again changes nothing; what changes has to fit.
        try await peru.add(three)
        let late = Samples.noon.adding(milliseconds: 3_600_000)
        let moved = Slot(schedule: three[2].schedule, center: 1, specialty: 1, medic: 1, date: late)
        try await peru.add([moved])
        await #expect(throws: EventStoreError.self) { try await peru.add([three[2]]) }
        #expect(try await peru.schedules(after: nil, limit: 9).map(\.slot) == [three[0], three[1], moved])
    }

    @Test("pages of slots and claims go along an index in their order, out of 200,000")
    func plans() async throws {
        try await file.write { writing in
            try writing.database.execute(
                sql: """
                    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
                    INSERT INTO schedules SELECT i, CASE WHEN i % 3 = 0 THEN 'CL' ELSE 'PE' END, i % 7, 1, i, i * 60000
                    FROM n
                    """)
            try writing.database.execute(
                sql: """
                    INSERT INTO claims SELECT 'PE', randomblob(16), schedule, randomblob(16), date, 0, NULL
                    FROM schedules WHERE country = 'PE' AND schedule % 2 = 0
                    """)
        }
        let queries = [SQLiteCountryDatabase.page, SQLiteCountryDatabase.claimPage]
        for analyzed in [false, true] {
            if analyzed { try await file.write { try $0.database.execute(sql: "ANALYZE") } }
            for query in queries {
                let plan = try await file.scan { database in
                    let values = Array(repeating: DatabaseValue.null, count: query.count { $0 == "?" })
                    let rows = try Row.fetchAll(
                        database, sql: "EXPLAIN QUERY PLAN \(query)", arguments: StatementArguments(values))
                    return rows.map { $0["detail"] as String }
                }
                let text = plan.joined(separator: "\n")
                #expect(!text.contains("TEMP B-TREE") && !text.contains("SCAN"), "\(query): \(text)")
            }
        }
        var (after, count) = (ScheduleID?.none, 0)
        while let last = try await peru.schedules(after: after, limit: 500).last {
            (after, count) = (last.slot.schedule, count + 1)
        }
        #expect(count == 267)
    }
}
