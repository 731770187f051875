import EventStore

/// The records of single events as a change stream brings them: late, more than once, out of order, and gone when
/// nobody came in time. Every follower has its own place in each shard.
final class ChangeStream {
    private struct Record {
        let event: RecordedEvent
        let availableAt: Int64
    }

    private struct Shard {
        var records: [Record] = []
        /// How many records at the beginning are gone.
        var trimmed = 0
    }

    enum Follower: Int, CaseIterable {
        case handler, mirror
    }

    static let shardCount = 2
    private var shards = [Shard](repeating: Shard(), count: shardCount)
    private var places = [[Int]](repeating: [Int](repeating: 0, count: shardCount), count: Follower.allCases.count)

    /// What a follower is given.
    struct Batch {
        let records: [RecordedEvent]
        let from: Int
        let next: Int
        /// Whether records before `from` were gone when the follower came.
        let isTrimmed: Bool
    }

    /// Adds a record.
    ///
    /// - Returns: when it can be read.
    func add(_ event: RecordedEvent, at now: Int64, _ faults: FaultSource, _ random: inout SplitMix) -> Int64 {
        let late = faults.strikes(.lateRecord) ? random.pickShort(upTo: 7_200_000) : random.pick(1...200)
        let shard = Int(event.stream.id.low % UInt64(Self.shardCount))
        // A shard is read in order: a late record holds up those behind it.
        let availableAt = max(now + late, shards[shard].records.last?.availableAt ?? 0)
        shards[shard].records.append(Record(event: event, availableAt: availableAt))
        return availableAt
    }

    /// The next records of a shard.
    func read(
        _ shard: Int, for follower: Follower, at now: Int64, limit: Int, _ faults: FaultSource,
        _ random: inout SplitMix
    ) -> Batch {
        let place = places[follower.rawValue][shard]
        let from = max(place, shards[shard].trimmed)
        let records = shards[shard].records
        var next = from
        while next < records.count, next - from < limit, records[next].availableAt <= now { next += 1 }
        // Without a record there is nothing to repeat or damage.
        guard next > from else { return Batch(records: [], from: place, next: next, isTrimmed: from > place) }
        var begin = from
        if faults.strikes(.repeatedRecord) {
            begin = max(shards[shard].trimmed, from - Int(random.pick(1...8)))
        }
        var events = records[begin..<next].map(\.event)
        if faults.strikes(.shuffledRecords) { events.shuffle(using: &random) }
        if faults.strikes(.damagedRecord) {
            let place = Int(random.next() % UInt64(events.count))
            events[place] = events[place].damaged
        }
        return Batch(records: events, from: place, next: next, isTrimmed: from > place)
    }

    /// Moves a follower on, if it still is where it was read.
    func advance(_ shard: Int, of follower: Follower, from: Int, to next: Int) -> Bool {
        guard places[follower.rawValue][shard] == from else { return false }
        places[follower.rawValue][shard] = next
        return true
    }

    /// Drops what became available before a moment, read or not.
    func trim(before moment: Int64) {
        for shard in shards.indices {
            let records = shards[shard].records
            while shards[shard].trimmed < records.count, records[shards[shard].trimmed].availableAt < moment {
                shards[shard].trimmed += 1
            }
        }
    }

    /// How many records the followers have not taken in.
    var unread: Int {
        Follower.allCases.reduce(0) { sum, follower in
            sum + shards.indices.reduce(0) { $0 + shards[$1].records.count - places[follower.rawValue][$1] }
        }
    }
}

extension RecordedEvent {
    /// The same with an entry that nobody can read and that does not hash to its leaf: a torn copy.
    fileprivate var damaged: RecordedEvent {
        let event = NewEvent(
            type: "torn", schema: 1, id: entry.id, at: entry.at, country: entry.country, actor: entry.actor,
            correlation: entry.correlation, causation: entry.causation, data: Array("{}".utf8))
        guard let entry = try? Entry(event, stream: stream, version: version, previous: entry.previous) else {
            preconditionFailure("an entry without data is small")
        }
        return RecordedEvent(position: position, entry: entry, leaf: leaf, sealed: [:])
    }
}
