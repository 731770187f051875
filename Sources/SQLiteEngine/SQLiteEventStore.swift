package import EventStore
import Foundation
import GRDB

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

    package func links(after position: Int, limit: Int) async throws(EventStoreError) -> [EventLink] {
        try await file.scan { try Self.links(after: position, limit: limit, in: $0) }
    }

    package func head() async throws(EventStoreError) -> Int {
        try await file.read { try Int.fetchOne($0.cachedStatement(sql: "SELECT position FROM head")) ?? 0 }
    }
}

extension SQLiteEventStore {
    package func positionsOutside() async throws(EventStoreError) -> [Int] {
        // In one snapshot: an append that ends in between moves the head along.
        try await file.read { database in
            try database.rows(
                """
                SELECT position FROM events WHERE position < 1 UNION ALL
                SELECT position FROM events WHERE position > (SELECT position FROM head) ORDER BY position LIMIT 100
                """
            ) { $0[0] }
        }
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
                writing.note(stored)
                recorded.append(stored)
            }
            if followsView { try SQLiteAppointmentView.follow(recorded, placed, in: writing.database) }
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
        do {
            try database.run(
                "INSERT INTO events (position, \(columnsOfEvent)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    position, entry.stream.id.blob, entry.version, entry.type, entry.country, entry.at.milliseconds,
                    entry.actor, entry.correlation, event.leaf.blob, Data(entry.bytes),
                    SealedJSON.encode(event.sealed).map { Data($0) },
                ])
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            throw EventStoreError(
                .corrupt,
                message: "somebody has put a row at position \(position), behind the head of the log, or as version "
                    + "\(entry.version) of \(entry.stream): run `ledger verify`, and restore a backup", cause: error)
        }
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
        try events(
            "SELECT \(columns) FROM events WHERE stream = ? AND version >= ? ORDER BY version",
            [stream.id.blob, version], in: database)
    }

    static func events(after position: Int, limit: Int, in database: Database) throws -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        try database.each(feedQuery, [position, max(limit, 0)]) { row in
            let stored = try StoredEntry(row)
            try stored.checkColumns(row)
            events.append(try event(row, stored))
        }
        return events
    }

    private static func links(after position: Int, limit: Int, in database: Database) throws -> [EventLink] {
        var links: [EventLink] = []
        try database.each(feedQuery, [position, max(limit, 0)]) { row in
            let stored = try StoredEntry(row)
            try stored.checkColumns(row)
            links.append(
                EventLink(
                    position: row.integer(0), checked: stored.outline, leaf: stored.leaf, sealed: try unseal(row)))
        }
        return links
    }

    private static let feedQuery = "SELECT \(feedColumns) FROM events WHERE position > ? ORDER BY position LIMIT ?"

    /// The events of a query for `columns`.
    static func events(
        _ sql: String, _ arguments: StatementArguments, in database: Database
    ) throws -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        try database.each(sql, arguments) { row in events.append(try event(row, StoredEntry(row))) }
        return events
    }

    private static func event(_ row: StoredRow, _ stored: StoredEntry) throws -> RecordedEvent {
        RecordedEvent(
            position: row.integer(0), entry: Array(stored.bytes), checked: stored.outline, leaf: stored.leaf,
            sealed: try unseal(row))
    }

    private static func unseal(_ row: StoredRow) throws -> [String: [UInt8]] {
        let json = row.bytes(5)
        if json.isEmpty { return [:] }
        do throws(JSONError) {
            return try SealedJSON.decode(Array(json))
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
            return try Self.events(query.sql, query.arguments, in: database)
        }
    }
}

/// The entry of a row of `columns`, where SQLite holds it: checked against its hash and its place.
private struct StoredEntry {
    let bytes: UnsafeBufferPointer<UInt8>
    let leaf: Hash
    let outline: EntryOutline

    init(_ row: StoredRow) throws {
        bytes = row.bytes(4).assumingMemoryBound(to: UInt8.self)
        leaf = try row.hash(3)
        outline = try EntryOutline(
            bytes, of: StreamID(try row.identifier(1)), version: row.integer(2), leaf: leaf)
    }

    /// A changed column would hide an event from a query and leave every hash whole, so the columns of a row of the
    /// feed are compared with the entry.
    func checkColumns(_ row: StoredRow) throws {
        let isTrue =
            outline.type.holds(row.bytes(6), in: bytes) && outline.country.holds(row.bytes(7), in: bytes)
            && row.moment(8) == outline.at && outline.actor.holds(row.bytes(9), in: bytes)
            && outline.correlation.holds(row.bytes(10), in: bytes)
        guard isTrue else {
            let place = "version \(outline.version) of \(outline.stream)"
            throw EventStoreError(
                .corrupt, message: "a column of \(place) differs from its entry: `ledger verify`")
        }
    }
}
