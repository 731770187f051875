package import EventStore
package import Projections

/// The events of the table in the order of a mirror: each stands where the mirror has it. What the mirror lacks stands
/// where the mirror has nothing, or has what the table does not, and after its end.
///
/// So a mirror whose positions nobody else gives out is compared, filled and mended by the same rules as one that
/// follows a feed. It is one look at table and mirror: a run makes its own.
package struct DynamoDBMirrorOrder: EventFeed {
    private let table: DynamoDBTable
    private let look: EventsLook
    /// Positions of the look, in the order of the mirror.
    private let order: [Int]

    /// How many places of the mirror are read together.
    private static let page = 5000

    init(_ log: DynamoDBScan, _ mirror: any MirrorStore) async throws(EventStoreError) {
        // The mirror first: what it takes in meanwhile is in the table already, and is seen as after its end.
        var held: [MirroredPlace] = []
        while true {
            let places = try await mirror.places(after: held.last?.position ?? 0, limit: Self.page)
            if places.isEmpty { break }
            held += places
        }
        let look = try await log.lookAnew()
        var order = [Int](repeating: 0, count: look.count)
        var isTaken = [Bool](repeating: false, count: look.count + 1)
        // There are as many positions as events: what stands after them was put there by nobody's right.
        for found in held where found.position <= look.count {
            guard let position = look.position(of: found.place.stream, version: found.place.version),
                !isTaken[position]
            else { continue }
            (order[found.position - 1], isTaken[position]) = (position, true)
        }
        var rest = isTaken.indices.dropFirst().lazy.filter { !isTaken[$0] }.makeIterator()
        for index in order.indices where order[index] == 0 { order[index] = rest.next() ?? 0 }
        (table, self.look, self.order) = (log.store.table, look, order)
    }

    package func events(after position: Int, limit: Int) async throws(EventStoreError) -> [RecordedEvent] {
        let first = max(position, 0)
        guard limit > 0, first < order.count else { return [] }
        var positions: [EventPlace: Int] = [:]
        let wanted = order[first...].prefix(limit)
        for (index, position) in zip(wanted.indices, wanted) {
            let place = look.place(at: position)
            positions[EventPlace(stream: place.stream, version: place.version)] = index + 1
        }
        let items = try await table.items(
            positions.keys.map { place in
                .written {
                    $0.attribute("streamId", text: place.stream.description)
                    $0.attribute("version", number: place.version)
                }
            })
        // An empty page would pass for the end.
        guard items.count == wanted.count else {
            throw EventStoreError(
                .unavailable, message: "events went missing from \(table.name) while they were read: run it again")
        }
        return try items.map { item throws(EventStoreError) in
            try RecordedEvent(item: item) { positions[EventPlace(stream: $0, version: $1)] }
        }.sorted { ($0.position ?? 0) < ($1.position ?? 0) }
    }

    package func head() async throws(EventStoreError) -> Int { order.count }
}

extension AWSLedger {
    /// The events in the order of a mirror, to compare and fill it.
    package func order(of mirror: any MirrorStore) async throws(EventStoreError) -> DynamoDBMirrorOrder {
        try await DynamoDBMirrorOrder(log(), mirror)
    }
}
