package import EventStore
import Foundation
import GRDB
package import LogService
package import TransparencyLog

/// What a monitor keeps of a log, in SQLite.
package final class SQLiteMonitorStore: MonitorStore {
    private let file: SideFile

    package init(_ file: SideFile) { self.file = file }

    package func state() async throws(EventStoreError) -> MonitorState? {
        try await file.perform { database in
            try database.row("SELECT note, entries, opaque FROM log", []) {
                MonitorState(note: try $0.bytes(0), read: $0[1], isOpaque: $0[2])
            }
        }
    }

    package func accept(_ note: [UInt8], isOpaque: Bool) async throws(EventStoreError) {
        try await file.perform { database in
            try database.run(
                "INSERT INTO log VALUES (1, ?, 0, ?) ON CONFLICT (id) DO UPDATE SET note = excluded.note",
                [Data(note), isOpaque])
        }
    }

    package func heads(of streams: Set<StreamID>) async throws(EventStoreError) -> [StreamID: Head] {
        try await file.perform { database in
            var heads: [StreamID: Head] = [:]
            for stream in streams {
                heads[stream] = try database.row(
                    "SELECT version, leaf FROM heads WHERE stream = ?", [stream.id.blob]
                ) { Head(stream: stream, version: $0[0], leaf: try $0.hash(1)) }
            }
            return heads
        }
    }

    package func take(_ part: MonitoredPart) async throws(EventStoreError) {
        try await file.perform { database in
            let read: Int? = try database.row("SELECT entries FROM log", []) { $0[0] }
            guard read == part.range.lowerBound else { throw MonitoredPart.stranger }
            try database.run("UPDATE log SET entries = ?", [part.range.upperBound])
            try database.run(
                "INSERT INTO tiles VALUES (?, ?) ON CONFLICT (tile) DO UPDATE SET leaves = excluded.leaves",
                [part.tile, Data(Tile.encode(part.leaves))])
            for head in part.heads {
                try database.run(
                    """
                    INSERT INTO heads VALUES (?, ?, ?)
                    ON CONFLICT (stream) DO UPDATE SET version = excluded.version, leaf = excluded.leaf
                    """, [head.stream.id.blob, head.version, head.leaf.blob])
            }
        }
    }

    package func leaves(ofTile index: Int) async throws(EventStoreError) -> [Hash] {
        try await file.perform { database in
            let bytes = try database.row("SELECT leaves FROM tiles WHERE tile = ?", [index]) { try $0.bytes(0) } ?? []
            guard let leaves = Tile.decode(bytes, count: bytes.count / 32) else {
                throw EventStoreError(.corrupt, message: "the monitor keeps a tile that is none: take another --data")
            }
            return leaves
        }
    }
}
