package import EventStore
import Foundation
import GRDB
import Projections

/// The events in SQLite: appends that wait together share one fsync, and the view is written along with them.
package final class SQLiteEventStore: EventStore, EventFeed, AuditLog {
    let file: SQLiteFile
    private let writesView: Bool

    /// - Parameter writesView: whether the view is written with each append; without it the projection runner follows.
    package init(_ file: SQLiteFile, writesView: Bool = true) { (self.file, self.writesView) = (file, writesView) }

    package func append(
        _ events: [NewEvent], to stream: StreamID, expecting expectation: Expectation
    ) async throws(EventStoreError) -> [RecordedEvent] {
        let bell = file.appended
        return try await file.write { [writesView] writing in
            let recorded = try Self.append(
                events, to: stream, expecting: expectation, in: writing, writesView: writesView)
            writing.ring(bell)
            return recorded
        }
    }

    package func read(_ stream: StreamID, from version: Int) async throws(EventStoreError) -> [RecordedEvent] {
        try await file.read { try Self.read(stream, from: version, in: $0) }
    }

    package func events(after position: Int, limit: Int) async throws(EventStoreError) -> [RecordedEvent] {
        try await file.scan { try Self.events(after: position, limit: limit, in: $0) }
    }

    package func head() async throws(EventStoreError) -> Int {
        try await file.read { try Int.fetchOne($0.cachedStatement(sql: "SELECT position FROM head")) ?? 0 }
    }
}

// MARK: - Appending

extension SQLiteEventStore {
    private static func append(
        _ events: [NewEvent], to stream: StreamID, expecting expectation: Expectation, in writing: Writing,
        writesView: Bool
    ) throws -> [RecordedEvent] {
        let head = try head(of: stream, in: writing.database)
        switch try head.admit(events, to: stream, expecting: expectation) {
        case .write(let placed):
            let followsView = try writing.followsView(writesView)
            var recorded: [RecordedEvent] = []
            for event in placed {
                let position = try writing.nextPosition()
                let stored = event.recorded(at: position)
                try insert(stored, at: position, in: writing.database)
                recorded.append(stored)
            }
            if followsView { try SQLiteViews.follow(recorded, placed, in: writing.database) }
            return recorded
        case .compare(let version):
            let stored = try read(stream, from: max(version - 1, 1), in: writing.database)
            return try head.resolve(
                events, to: stream, expecting: expectation, before: version > 1 ? stored.first?.leaf : nil,
                stored: version > 1 ? Array(stored.dropFirst()) : stored)
        }
    }

    static func head(of stream: StreamID, in database: Database) throws -> StreamHead {
        try database.row(
            "SELECT version, leaf FROM events WHERE stream = ? ORDER BY version DESC LIMIT 1", [stream.id.blob]
        ) { StreamHead(version: $0[0], leaf: try $0.hash(1)) } ?? .empty
    }

    private static func insert(_ event: RecordedEvent, at position: Int, in database: Database) throws {
        let entry = event.entry
        try database.run(
            "INSERT INTO events (position, \(columnsOfEvent)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                position, entry.stream.id.blob, entry.version, entry.type, entry.country, entry.at.milliseconds,
                entry.actor, entry.correlation, event.leaf.blob, Data(entry.bytes),
                SealedJSON.encode(event.sealed).map { Data($0) },
            ])
    }

    private static let columnsOfEvent =
        "stream, version, type, country, at, actor, correlation, leaf, entry, sealed"
}

// MARK: - Reading

extension SQLiteEventStore {
    static let columns = "position, stream, version, leaf, entry, sealed"
    /// With the columns that audit queries filter by. They repeat what the entry says.
    private static let feedColumns = columns + ", type, country, at, actor, correlation"

    static func read(_ stream: StreamID, from version: Int, in database: Database) throws -> [RecordedEvent] {
        try database.rows(
            "SELECT \(columns) FROM events WHERE stream = ? AND version >= ? ORDER BY version",
            [stream.id.blob, version], event)
    }

    static func events(after position: Int, limit: Int, in database: Database) throws -> [RecordedEvent] {
        try database.rows(
            "SELECT \(feedColumns) FROM events WHERE position > ? ORDER BY position LIMIT ?",
            [position, max(limit, 0)], feedEvent)
    }

    /// The event of a row, checked against its hash and its place.
    static func event(_ row: Row) throws -> RecordedEvent {
        try RecordedEvent(
            position: row[0], stream: StreamID(try row.identifier(1)), version: row[2], entry: try row.bytes(4),
            leaf: try row.hash(3), sealed: row.hasNull(atIndex: 5) ? [:] : try unseal(row.bytes(5), of: row))
    }

    /// The event of a row of the feed. A changed column would hide an event from a query and leave every hash whole,
    /// so the columns are compared with the entry.
    private static func feedEvent(_ row: Row) throws -> RecordedEvent {
        let event = try event(row)
        let entry = event.entry
        let texts = [(6, entry.type), (7, entry.country), (9, entry.actor), (10, entry.correlation)]
        let isTrue = try texts.allSatisfy { try row.holds($1, $0) } && row.moment(8) == entry.at
        guard isTrue else {
            throw EventStoreError(
                .corrupt,
                message:
                    "a column of version \(event.version) of \(event.stream) differs from its entry: `ledger verify`"
            )
        }
        return event
    }

    private static func unseal(_ json: [UInt8], of row: Row) throws -> [String: [UInt8]] {
        do throws(JSONError) {
            return try SealedJSON.decode(json)
        } catch {
            throw row.damaged(5)
        }
    }

    package func events(
        matching filter: EventFilter, after position: Int, limit: Int
    ) async throws(EventStoreError) -> [RecordedEvent] {
        if filter.streams?.isEmpty == true { return [] }
        return try await file.scan { database in
            var query = Query("SELECT \(Self.columns) FROM events")
            query.require("position > ?", position)
            query.require("type = ?", filter.type)
            query.require("country = ?", filter.country)
            query.require("actor = ?", filter.actor)
            query.require("correlation = ?", filter.correlation)
            query.require("at >= ?", filter.from?.milliseconds)
            query.require("at <= ?", filter.to?.milliseconds)
            if let streams = filter.streams { query.require("stream", in: streams.sorted().map(\.id.blob)) }
            query.sql += " ORDER BY position LIMIT ?"
            query.arguments += [max(limit, 0)]
            return try database.rows(query.sql, query.arguments, Self.event)
        }
    }

    package func counts() async throws(EventStoreError) -> [EventCount] {
        try await file.scan { database in
            try database.rows(
                "SELECT type, country, count(*) FROM events GROUP BY type, country ORDER BY type, country"
            ) { EventCount(type: $0[0], country: $0[1], count: $0[2]) }
        }
    }
}
