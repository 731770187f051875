import Appointments
import EventStore
import Projections
import TestEngines
import Testing

@Suite("The contract of AppointmentView")
struct AppointmentViewContract {
    private let name = ProjectionRunner.projection

    private func at(_ minute: Int64) -> Timestamp { Samples.noon.adding(milliseconds: minute * 60_000) }

    private func write(_ rows: [AppointmentRow], to ledger: TestEngine) async throws {
        let checkpoint = try await ledger.projections.checkpoint(of: name)
        var commit = ProjectionCommit(checkpoint: checkpoint + 1)
        commit.rows = rows
        #expect(try await ledger.projections.commit(commit, of: name, expecting: checkpoint))
    }

    private func numbers(
        _ ledger: TestEngine, _ filter: RowFilter = RowFilter(), after place: RowPlace? = nil, offset: Int = 0,
        limit: Int = 100
    ) async throws -> [Int] {
        try await ledger.views.rows(filter, after: place, offset: offset, limit: limit)
            .map { Int($0.appointment.id.low & 0xFFFF) }
    }

    @Test("a row reads back in every field", arguments: Engine.ofStores)
    func row(engine: Engine) async throws {
        let ledger = try await engine.make()
        var full = try Samples.row(1, status: .failed, version: 4)
        full.processedAt = at(3)
        full.slot = try Samples.slot(100, at: at(60))
        full.failure = .init(reason: .slotTaken, message: "línea «uno»\n\"dos\"")
        let erased = try Samples.row(2, insured: nil, country: .chile)
        try await write([full, erased], to: ledger)
        #expect(try await ledger.views.row(Samples.appointment(1)) == full)
        #expect(try await ledger.views.row(Samples.appointment(2)) == erased)
        #expect(try await ledger.views.row(Samples.appointment(3)) == nil)
        let rows = try await ledger.projections.rows(of: (1...3).map(Samples.appointment))
        #expect(rows == [full.appointment: full, erased.appointment: erased])
        #expect(try await ledger.projections.rows(of: []).isEmpty)
    }

    @Test("a row is replaced by its next version", arguments: Engine.ofStores)
    func replaced(engine: Engine) async throws {
        let ledger = try await engine.make()
        try await write([try Samples.row(1)], to: ledger)
        let next = try Samples.row(1, updatedAt: at(1), status: .completed, version: 4)
        try await write([next], to: ledger)
        #expect(try await ledger.views.row(Samples.appointment(1)) == next)
        #expect(try await ledger.views.count(RowFilter()) == 1)
        #expect(try await ledger.views.count(RowFilter(status: .pending)) == 0)
    }

    @Test("rows come newest first, those of one millisecond by id, the greater first", arguments: Engine.ofStores)
    func newestFirst(engine: Engine) async throws {
        let ledger = try await engine.make()
        let rows = [
            try Samples.row(1, createdAt: at(2)), try Samples.row(2, createdAt: at(1)),
            try Samples.row(3, createdAt: at(2)), try Samples.row(4, createdAt: at(3)),
        ]
        try await write(rows, to: ledger)
        #expect(try await numbers(ledger) == [4, 3, 1, 2])
        #expect(try await numbers(ledger, offset: 1, limit: 2) == [3, 1])
        #expect(try await numbers(ledger, offset: 9) == [])
        #expect(try await numbers(ledger, limit: 0) == [])
    }

    @Test("page after page gives every row once, also when rows are added meanwhile", arguments: Engine.ofStores)
    func pages(engine: Engine) async throws {
        let ledger = try await engine.make()
        try await write((1...10).map { try Samples.row($0, createdAt: at(Int64($0 / 3))) }, to: ledger)
        var (seen, place): ([Int], RowPlace?) = ([], nil)
        while let page = Optional(try await ledger.views.rows(RowFilter(), after: place, offset: 0, limit: 3)),
            let last = page.last
        {
            seen += page.map { Int($0.appointment.id.low & 0xFFFF) }
            place = last.place
            try await write([try Samples.row(100 + seen.count, createdAt: at(100))], to: ledger)
        }
        #expect(seen == Array((1...10).reversed()))
    }

    @Test("filters hold alone and together, their bounds included", arguments: Engine.ofStores)
    func filters(engine: Engine) async throws {
        let ledger = try await engine.make()
        let rows = [
            try Samples.row(1, insured: "00123", country: .peru, createdAt: at(1), status: .pending),
            try Samples.row(2, insured: "00123", country: .chile, createdAt: at(2), status: .completed),
            try Samples.row(3, insured: "00124", country: .peru, createdAt: at(3), status: .completed),
            try Samples.row(4, insured: nil, country: .peru, createdAt: at(4), status: .failed),
        ]
        try await write(rows, to: ledger)
        let insured = try #require(InsuredID("00123"))
        let expectations: [(RowFilter, [Int])] = [
            (RowFilter(), [4, 3, 2, 1]),
            (RowFilter(insured: insured), [2, 1]),
            (RowFilter(insured: insured, country: .peru), [1]),
            (RowFilter(status: .completed), [3, 2]),
            (RowFilter(status: .processed), []),
            (RowFilter(status: .completed, country: .peru), [3]),
            (RowFilter(country: .peru), [4, 3, 1]),
            (RowFilter(from: at(2), to: at(3)), [3, 2]),
            (RowFilter(insured: insured, from: at(2)), [2]),
            (RowFilter(insured: InsuredID("99999")), []),
        ]
        for (filter, expected) in expectations {
            #expect(try await numbers(ledger, filter) == expected)
            #expect(try await ledger.views.count(filter) == expected.count)
        }
        #expect(try await numbers(ledger, RowFilter(country: .peru), after: rows[3].place, offset: 1) == [1])
    }

    @Test("rows are counted by country and status", arguments: Engine.ofStores)
    func counts(engine: Engine) async throws {
        let ledger = try await engine.make()
        #expect(try await ledger.views.counts().isEmpty)
        try await write(
            [Samples.row(1), Samples.row(2), Samples.row(3, country: .chile, status: .failed)], to: ledger)
        #expect(
            Set(try await ledger.views.counts()) == [
                RowCount(country: .peru, status: .pending, count: 2),
                RowCount(country: .chile, status: .failed, count: 1),
            ])
    }

    @Test(
        "what stands still, or was written ahead of time, is found oldest first, page by page",
        arguments: Engine.ofStores)
    func idle(engine: Engine) async throws {
        let ledger = try await engine.make()
        try await write(
            [
                Samples.row(1, createdAt: at(1)), Samples.row(2, createdAt: at(2), updatedAt: at(9)),
                Samples.row(3, createdAt: at(3)), Samples.row(4, createdAt: at(4), status: .processed),
                Samples.row(5, createdAt: at(5)), Samples.row(6, createdAt: at(6)),
                Samples.row(7, createdAt: at(6), updatedAt: at(127)),
            ], to: ledger)
        func idle(after place: RowPlace? = nil, limit: Int = 10) async throws -> [Int] {
            try await ledger.views.idle(
                .pending, quiet: Quiet(forMilliseconds: 120_000, at: at(7)), after: place, limit: limit
            )
            .map { Int($0.appointment.id.low & 0xFFFF) }
        }
        #expect(try await idle() == [1, 3, 5, 7])
        #expect(try await idle(limit: 2) == [1, 3])
        #expect(try await idle(after: Samples.row(3, createdAt: at(3)).place) == [5, 7])
    }
}
