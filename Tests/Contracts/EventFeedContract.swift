import Appointments
import EventStore
import TestEngines
import Testing

@Suite("The contract of EventFeed and AuditLog")
struct EventFeedContract {
    @Test("the feed has all streams in the order of their appends, without holes", arguments: Engine.available)
    func order(engine: Engine) async throws {
        let ledger = try await engine.make()
        for number in 1...5 {
            let event = try Samples.requested(number)
            _ = try await ledger.store.append([event], to: Samples.appointment(number).stream, expecting: .empty)
        }
        let batch = [Samples.later(6), Samples.later(7)]
        _ = try await ledger.store.append(batch, to: Samples.appointment(3).stream, expecting: .version(1))
        let events = try await ledger.feed.events(after: 0, limit: 100)
        #expect(events.map(\.position) == Array(1...7))
        #expect(events.map(\.entry.id) == (1...7).map(Samples.id))
        #expect(try await ledger.feed.head() == 7)
    }

    @Test("a reader resumes behind any position", arguments: Engine.available)
    func resumption(engine: Engine) async throws {
        let ledger = try await engine.make()
        for number in 1...5 {
            let event = try Samples.requested(number)
            _ = try await ledger.store.append([event], to: Samples.appointment(number).stream, expecting: .empty)
        }
        for position in [-1, 0, 1, 4, 5, 6, Int.max] {
            let events = try await ledger.feed.events(after: position, limit: 2)
            #expect(events.map(\.position) == Array(Array(1...5).filter { $0 > position }.prefix(2)))
        }
        #expect(try await ledger.feed.events(after: 0, limit: 0).isEmpty)
    }

    @Test("a refused append takes no position", arguments: Engine.available)
    func refusedTakesNoPosition(engine: Engine) async throws {
        let ledger = try await engine.make()
        let stream = Samples.appointment(1).stream
        let (first, rival) = (try Samples.requested(1), try Samples.requested(2))
        _ = try await ledger.store.append([first], to: stream, expecting: .empty)
        #expect(await failure { try await ledger.store.append([rival], to: stream, expecting: .empty) } != nil)
        let next = try await ledger.store.append([Samples.later(3)], to: stream, expecting: .version(1))
        #expect(next.first?.position == 2)
    }

    @Test(
        "a reader that saw position n never later finds a new event at or below n, under 16 concurrent writers",
        arguments: Engine.available)
    func noLateEvents(engine: Engine) async throws {
        let ledger = try await engine.make()
        let (store, feed) = (ledger.store, ledger.feed)
        let (writers, each) = (16, 25)
        try await withThrowingTaskGroup(of: [Identifier].self) { group in
            for writer in 1...writers {
                group.addTask {
                    let stream = Samples.appointment(writer).stream
                    for version in 1...each {
                        let number = writer * 1000 + version
                        let event = version == 1 ? try Samples.requested(number) : Samples.later(number)
                        _ = try await store.append([event], to: stream, expecting: .version(version - 1))
                    }
                    return []
                }
            }
            group.addTask {
                var seen: [Identifier] = []
                while seen.count < writers * each {
                    let events = try await feed.events(after: seen.count, limit: 7)
                    #expect(events.map(\.position) == events.indices.map { seen.count + 1 + $0 })
                    seen += events.map(\.entry.id)
                    await Task.yield()
                }
                return seen
            }
            let seen = try await group.reduce(into: []) { $0 += $1 }
            #expect(try await feed.events(after: 0, limit: .max).map(\.entry.id) == seen)
            #expect(Set(seen).count == writers * each)
        }
    }

    @Test("an audit asks by every field, and by all together", arguments: Engine.ofStores)
    func audit(engine: Engine) async throws {
        let ledger = try await engine.make()
        try await fill(ledger)
        func positions(_ filter: EventFilter, after: Int = 0, limit: Int = 100) async throws -> [Int?] {
            try await ledger.audit.events(matching: filter, after: after, limit: limit).map(\.position)
        }
        #expect(try await positions(EventFilter()) == [1, 2, 3, 4])
        #expect(try await positions(EventFilter(type: "routed")) == [3])
        #expect(try await positions(EventFilter(country: "CL")) == [2])
        #expect(try await positions(EventFilter(streams: [Samples.appointment(1).stream])) == [1, 3])
        #expect(
            try await positions(EventFilter(streams: [Samples.appointment(2).stream, Samples.appointment(3).stream]))
                == [2, 4])
        #expect(try await positions(EventFilter(streams: [])) == [])
        #expect(try await positions(EventFilter(actor: "key:chile")) == [2])
        #expect(try await positions(EventFilter(correlation: "c-3")) == [4])
        let (start, end) = (Samples.noon.adding(milliseconds: 1), Samples.noon.adding(milliseconds: 2))
        #expect(try await positions(EventFilter(from: start)) == [2, 3, 4])
        #expect(try await positions(EventFilter(to: start)) == [1, 2])
        #expect(try await positions(EventFilter(from: end, to: end)) == [3])
        #expect(try await positions(EventFilter(type: "requested", country: "PE", from: start)) == [4])
        #expect(try await positions(EventFilter(type: "REQUESTED")) == [])
        #expect(try await positions(EventFilter(type: "requested"), after: 1, limit: 1) == [2])
        #expect(try await positions(EventFilter(type: "requested"), after: 2, limit: 1) == [4])
        #expect(try await positions(EventFilter(), after: -5, limit: 2) == [1, 2])
        #expect(try await positions(EventFilter(), limit: 0) == [])
    }

    @Test("events are counted by type and country, in that order", arguments: Engine.ofStores)
    func counts(engine: Engine) async throws {
        let ledger = try await engine.make()
        #expect(try await ledger.audit.counts().isEmpty)
        try await fill(ledger)
        #expect(
            try await ledger.audit.counts() == [
                EventCount(type: "requested", country: "CL", count: 1),
                EventCount(type: "requested", country: "PE", count: 2),
                EventCount(type: "routed", country: "PE", count: 1),
            ])
    }

    private func fill(_ ledger: TestEngine) async throws {
        let streams = (1...3).map { Samples.appointment($0).stream }
        func at(_ milliseconds: Int64) -> Timestamp { Samples.noon.adding(milliseconds: milliseconds) }
        let chilean = try Samples.requested(
            2, at: at(1), country: .chile, actor: "key:chile", correlation: "c-2")
        _ = try await ledger.store.append([try Samples.requested(1)], to: streams[0], expecting: .empty)
        _ = try await ledger.store.append([chilean], to: streams[1], expecting: .empty)
        _ = try await ledger.store.append([Samples.later(3, at: at(2))], to: streams[0], expecting: .version(1))
        let last = try Samples.requested(4, at: at(3), correlation: "c-3")
        _ = try await ledger.store.append([last], to: streams[2], expecting: .empty)
    }
}
