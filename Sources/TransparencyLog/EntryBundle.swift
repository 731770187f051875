package import EventStore

/// Entries one after the other, as a log serves them (C2SP tlog-tiles, "Log entries"): each after its length in two
/// bytes, big endian.
package enum EntryBundle {
    /// The most bytes that an entry can have here (C2SP tlog-tiles, "Log entries").
    package static let maximumEntryBytes = 65535

    /// The most bytes of a bundle: 256 entries of the largest size.
    package static let maximumBytes = 256 * (2 + maximumEntryBytes)

    /// The bundle of some entries.
    ///
    /// - Throws: `tooLarge` for an entry of more than 65,535 bytes and for more than 256 of them.
    package static func encode(_ entries: [[UInt8]]) throws(TransparencyError) -> [UInt8] {
        guard entries.count <= TilePath.fullWidth else {
            throw TransparencyError(.tooLarge, "a bundle holds at most 256 entries")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(entries.reduce(0) { $0 + $1.count + 2 })
        for entry in entries {
            guard let length = UInt16(exactly: entry.count) else {
                throw TransparencyError(.tooLarge, "an entry of \(entry.count) bytes does not fit into a bundle")
            }
            bytes.append(UInt8(length >> 8))
            bytes.append(UInt8(length & 0xFF))
            bytes.append(contentsOf: entry)
        }
        return bytes
    }

    /// Reads a bundle.
    ///
    /// - Parameter count: how many entries it must have.
    /// - Throws: `malformed` where it has more, fewer, or ends within one.
    package static func decode(_ bytes: [UInt8], count: Int) throws(TransparencyError) -> [[UInt8]] {
        var (entries, place): ([[UInt8]], Int) = ([], 0)
        while place < bytes.count {
            guard entries.count < count, bytes.count - place >= 2 else { throw wrong(count) }
            let length = Int(bytes[place]) << 8 | Int(bytes[place + 1])
            place += 2
            guard bytes.count - place >= length else { throw wrong(count) }
            entries.append(Array(bytes[place..<(place + length)]))
            place += length
        }
        guard entries.count == count else { throw wrong(count) }
        return entries
    }

    private static func wrong(_ count: Int) -> TransparencyError {
        TransparencyError(.malformed, "the bytes are no bundle of \(count) entries")
    }
}

/// A tile as bytes: its hashes one after the other (C2SP tlog-tiles, "Merkle Tree").
package enum Tile {
    /// The bytes of a tile.
    package static func encode(_ hashes: [Hash]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32 * hashes.count)
        for hash in hashes { hash.withBytes { bytes.append(contentsOf: $0) } }
        return bytes
    }

    /// Reads a tile; nil unless it has exactly so many hashes.
    package static func decode(_ bytes: [UInt8], count: Int) -> [Hash]? {
        guard count >= 0, count <= TilePath.fullWidth, bytes.count == 32 * count else { return nil }
        return (0..<count).compactMap { Hash(bytes: bytes[(32 * $0)..<(32 * $0 + 32)]) }
    }
}
