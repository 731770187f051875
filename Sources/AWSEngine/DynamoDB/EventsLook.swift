import EventStore
import Synchronization

/// Which events the table had at one moment: their places, times and kinds, without what is in them. 30 bytes an event.
///
/// Positions are counted by time: an event stands after all that happened before it, and after the earlier ones of
/// its stream whatever their clocks said. Events of one millisecond are ordered by stream.
struct EventsLook: Sendable {
    /// What a scan tells of one event.
    struct Mark: Sendable {
        let stream: StreamID
        let at: Int64
        let version: Int32
        let kind: UInt32
    }

    /// All streams by their ids.
    let streams: [StreamID]
    /// Where each stream's events begin, and where those of the last one end.
    private let starts: [Int]
    private let versions: [Int32]
    private let times: [Int64]
    private let kinds: [UInt32]
    private let kindNames: [EventKinds.Kind]
    /// The events by position, and each one's position less one.
    private let order: [UInt32]
    private let ranks: [UInt32]
    /// How many items there were that are no events.
    let foreign: Int

    init(_ marks: [Mark], kinds names: EventKinds, foreign: Int = 0) {
        let sorted = marks.sorted { ($0.stream, $0.version) < ($1.stream, $1.version) }
        var (streams, starts): ([StreamID], [Int]) = ([], [])
        var places: [Int64] = []
        for (index, mark) in sorted.enumerated() {
            let isFirst = streams.last != mark.stream
            if isFirst {
                streams.append(mark.stream)
                starts.append(index)
            }
            places.append(isFirst ? mark.at : max(mark.at, places[index - 1]))
        }
        let order = sorted.indices.map { UInt32($0) }.sorted { left, right in
            (places[Int(left)], left) < (places[Int(right)], right)
        }
        var ranks = order
        for (rank, index) in order.enumerated() { ranks[Int(index)] = UInt32(rank) }
        (self.streams, self.starts) = (streams, starts + [sorted.count])
        (versions, times, kinds) = (sorted.map(\.version), sorted.map(\.at), sorted.map(\.kind))
        (kindNames, self.order, self.ranks) = (names.all, order, ranks)
        self.foreign = foreign
    }

    /// How many events there are.
    var count: Int { order.count }

    /// How many events a stream has, by its place among the streams.
    func count(at index: Int) -> Int { starts[index + 1] - starts[index] }

    /// The place of the first stream that is not before another: where that one stands, or would stand.
    func index(of stream: StreamID) -> Int {
        var (low, high) = (0, streams.count)
        while low < high {
            let middle = (low + high) / 2
            if streams[middle] < stream { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The position of an event; nil for one that was not there.
    func position(of stream: StreamID, version: Int) -> Int? {
        let index = index(of: stream)
        guard index < streams.count, streams[index] == stream else { return nil }
        for event in starts[index]..<starts[index + 1] where versions[event] == version {
            return Int(ranks[event]) + 1
        }
        return nil
    }

    /// The event that stands at a position.
    func place(at position: Int) -> (stream: StreamID, version: Int) {
        let event = Int(order[position - 1])
        // The last stream that begins at this event or before it.
        var (low, high) = (0, streams.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= event { low = middle } else { high = middle }
        }
        return (streams[low], Int(versions[event]))
    }

    /// Whether the event at a position may be wanted, as far as a look tells.
    func mayMatch(_ filter: EventFilter, at position: Int) -> Bool {
        let event = Int(order[position - 1])
        let (kind, at) = (kindNames[Int(kinds[event])], times[event])
        return (filter.type ?? kind.type) == kind.type && (filter.country ?? kind.country) == kind.country
            && (filter.from.map { $0.milliseconds <= at } ?? true) && (filter.to.map { at <= $0.milliseconds } ?? true)
            && (filter.streams.map { $0.contains(place(at: position).stream) } ?? true)
    }

    /// How many events there are of each type and country.
    func counts() -> [EventCount] {
        var tally = Array(repeating: 0, count: kindNames.count)
        for kind in kinds { tally[Int(kind)] += 1 }
        return zip(kindNames, tally).map { EventCount(type: $0.type, country: $0.country, count: $1) }
            .sorted { ($0.type, $0.country) < ($1.type, $1.country) }
    }
}

/// The kinds of events that a look meets, by number: an event keeps four bytes of it.
final class EventKinds: Sendable {
    /// What counts are made by.
    struct Kind: Hashable, Sendable {
        let type: String
        let country: String
    }

    private let numbers = Mutex<[Kind: UInt32]>([:])

    func number(of kind: Kind) -> UInt32 {
        numbers.withLock { numbers in
            if let number = numbers[kind] { return number }
            numbers[kind] = UInt32(numbers.count)
            return UInt32(numbers.count - 1)
        }
    }

    /// All kinds, each at the place of its number.
    var all: [Kind] { numbers.withLock { $0.sorted { $0.value < $1.value }.map(\.key) } }
}
