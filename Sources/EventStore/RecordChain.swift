/// A hash chain of records that only grow, such as who looked at what: each record's hash covers its fields and the
/// hash of the one before, so that none can be changed, left out or put in between without the later ones showing it.
///
/// `hash = SHA-256(hash of the one before ‖ fields)`, a field written as the number of its UTF-8 bytes in decimal, a
/// colon, the bytes and a comma, and one that is missing as `~,`. Before the first record stands the SHA-256 of the
/// chain's name. A migration in SQL can compute the same.
package struct RecordChain: Equatable, Sendable {
    /// How many records it has.
    package private(set) var count: Int
    /// The hash of the last one.
    package private(set) var end: Hash

    /// The chain without a record.
    ///
    /// - Parameter name: hashed along, so that the records of one chain do not pass for another's.
    package init(_ name: String) { (count, end) = (0, Hash(of: Array(name.utf8))) }

    /// A chain as it was stored.
    package init(count: Int, end: Hash) { (self.count, self.end) = (count, end) }

    /// Takes in a new record.
    ///
    /// - Returns: its hash, to be stored with it.
    package mutating func append(_ fields: [String?]) -> Hash {
        var bytes = end.bytes
        for field in fields {
            guard let field else {
                bytes += "~,".utf8
                continue
            }
            bytes += "\(field.utf8.count):".utf8
            bytes += field.utf8
            bytes.append(UInt8(ascii: ","))
        }
        end = Hash(of: bytes)
        count += 1
        return end
    }
}

/// A record of a chain as it is stored.
package struct ChainedRecord: Equatable, Sendable {
    /// Its place: greater than that of the one before.
    package let number: Int
    package let fields: [String?]
    /// What is stored as its hash; nil for none or one that is no hash.
    package let hash: Hash?

    package init(number: Int, fields: [String?], hash: Hash?) {
        (self.number, self.fields, self.hash) = (number, fields, hash)
    }
}

/// Gives out the records of a chain as they are stored, for whoever verifies them.
package protocol ChainedRecords: Sendable {
    /// What its chain is called.
    var chainName: String { get }

    /// How far the store believes that the chain has come.
    func chain() async throws(EventStoreError) -> RecordChain

    /// At most `limit` records after a place, in order; from the first one on where there is no place.
    func records(after number: Int?, limit: Int) async throws(EventStoreError) -> [ChainedRecord]
}

/// Where a chain of records does not hold.
package enum ChainBreak: Equatable, Sendable {
    /// The first record whose hash is not that of its fields after the one before: it was changed, or the one before
    /// it was taken out or put in.
    case record(number: Int)
    /// Every record holds, and the store has had more of them, or others.
    case end(count: Int, wanted: Int)
}

extension ChainedRecords {
    /// The first place where the chain does not hold, in one pass over what is stored; nil when all of it holds.
    ///
    /// - Throws: `unavailable`, `corrupt`.
    package func firstBreak(batch: Int = 2000) async throws(EventStoreError) -> ChainBreak? {
        let wanted = try await chain()
        var held = RecordChain(chainName)
        var place: Int?
        while true {
            if held.count == wanted.count, held != wanted { return .end(count: held.count, wanted: wanted.count) }
            let limit = held.count < wanted.count ? min(batch, wanted.count - held.count) : batch
            let page = try await records(after: place, limit: limit)
            for record in page {
                guard held.append(record.fields) == record.hash else { return .record(number: record.number) }
                place = record.number
            }
            if page.isEmpty { break }
        }
        // What was recorded meanwhile comes after, and is counted by now.
        let end = try await chain()
        let isWhole = wanted.count <= held.count && held.count <= end.count
        return isWhole ? nil : .end(count: held.count, wanted: end.count)
    }
}
