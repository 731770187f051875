package import EventStore

/// The record of who looked at the events, in DynamoDB: an item an access, in the order of its chain.
///
/// Writers race for the next place: of two conditional writes one finds it taken, reads the chain again and goes after
/// it. Those of programs from before the chain stand before it, by their moment; its first record is over them.
package struct DynamoDBAccessLog: AccessLog {
    let table: DynamoDBTable
    private let random: @Sendable () -> UInt64

    static let name = "audit"
    /// What the places of the chain begin with: they sort after every moment.
    static let mark = "n#"
    /// How often a writer goes after others before it gives up.
    private static let attempts = 50

    /// - Parameter random: 64 bits that tell accesses of the same moment apart.
    package init(_ client: AWSClient, tables: DynamoDBTables, random: @escaping @Sendable () -> UInt64) {
        (table, self.random) = (DynamoDBTable(client: client, name: tables.projections), random)
    }

    package func record(_ access: AccessRecord) async throws(EventStoreError) {
        let mine = String(random(), radix: 16)
        for _ in 0..<Self.attempts {
            guard var chain = try await last() else {
                try await begin(mine)
                continue
            }
            let hash = chain.append(access.fields(chain.count + 1))
            let taken = try await put(chain.count, hash, mine) { writer in
                writer.attribute("caller", text: access.caller)
                writer.attribute("filters", text: String(decoding: access.filters, as: UTF8.self))
                writer.attribute("rowCount", number: access.rows)
                writer.attribute("at", text: access.at.description)
            }
            if taken { continue }
            return try await moveEnd(to: chain)
        }
        throw EventStoreError(.unavailable, message: "others record accesses all the time: read again")
    }

    /// Takes a place of the chain.
    ///
    /// - Returns: whether another has taken it. A lost answer makes the client write again what is there already.
    private func put(
        _ number: Int, _ hash: Hash, _ mine: String, _ content: (inout JSONWriter) -> Void
    ) async throws(EventStoreError) -> Bool {
        let taken = try await table.put(
            { writer in
                writer.attribute("projectionId", text: Self.name)
                writer.attribute("itemId", text: Self.place(number))
                writer.attribute("recordNumber", number: number)
                writer.attribute("recordHash", bytes: hash.bytes)
                writer.attribute("writer", text: mine)
                content(&writer)
            }, if: "attribute_not_exists(projectionId)")
        guard let taken else { return false }
        return (try? taken.text("writer")) != mine
    }

    /// Begins the chain with a record over all accesses of before.
    private func begin(_ mine: String) async throws(EventStoreError) {
        var chain = RecordChain(Self.chainName)
        let hash = chain.append(try await fieldsOfFirst())
        _ = try await put(1, hash, mine) { _ in }
    }

    /// Notes how far the chain has come, so that a cut end shows. Who is overtaken leaves it to the faster one.
    private func moveEnd(to chain: RecordChain) async throws(EventStoreError) {
        _ = try await table.put(
            { writer in
                writer.attribute("projectionId", text: "chains")
                writer.attribute("itemId", text: Self.chainName)
                writer.attribute("recordNumber", number: chain.count)
                writer.attribute("recordHash", bytes: chain.end.bytes)
            }, if: "attribute_not_exists(projectionId) OR recordNumber < :number",
            values: { $0.attribute(":number", number: chain.count) })
    }

    package func accesses(
        matching filter: AccessFilter, limit: Int
    ) async throws(EventStoreError) -> [AccessRecord] {
        var accesses: [AccessRecord] = []
        var isOver = false
        guard limit > 0 else { return [] }
        try await query { _ in
        } until: { (items, _) throws(EventStoreError) in
            do throws(Item.Damage) {
                for item in items where item.value["caller"] != nil {
                    let access = AccessRecord(
                        at: try item.value("at") { Timestamp($0) }, caller: try item.text("caller"),
                        filters: Array(try item.text("filters").utf8), rows: Int(try item.number("rowCount")))
                    if filter.matches(access) { accesses.append(access) }
                    // The newest come first, but for the clocks of several writers: what follows is older still.
                    if let from = filter.from, access.at.adding(milliseconds: 300_000) < from { isOver = true }
                }
            } catch {
                throw .damaged(table.name, error)
            }
            return isOver || accesses.count >= limit
        }
        return Array(accesses.prefix(limit))
    }
}

// MARK: - The chain

extension DynamoDBAccessLog: ChainedRecords {
    private static let chainName = "accesses"

    package var chainName: String { Self.chainName }

    package func chain() async throws(EventStoreError) -> RecordChain {
        let noted = try await table.item { key in
            key.attribute("projectionId", text: "chains")
            key.attribute("itemId", text: Self.chainName)
        }
        let last = try await last() ?? RecordChain(Self.chainName)
        guard let noted = try noted.map(chain(of:)), noted.count > last.count else { return last }
        return noted
    }

    package func records(after number: Int?, limit: Int) async throws(EventStoreError) -> [ChainedRecord] {
        var records: [ChainedRecord] = []
        let first = number == nil ? try await fieldsOfFirst() : []
        try await query(after: Self.place(number ?? 0)) { writer in
            writer.member("Limit", limit)
        } until: { (items, _) throws(EventStoreError) in
            for item in items {
                let place = (try? item.text("itemId")).flatMap { Int($0.dropFirst(Self.mark.count)) }
                let number = place ?? (records.last?.number ?? number ?? 0) + 1
                records.append(
                    ChainedRecord(
                        number: number, fields: number == 1 ? first : Self.fields(item),
                        hash: (try? item.bytes("recordHash")).flatMap { Hash(bytes: $0) }))
            }
            return records.count >= limit
        }
        return Array(records.prefix(limit))
    }

    /// What the first record of the chain is over: the accesses of before, in the order of their moments.
    private func fieldsOfFirst() async throws(EventStoreError) -> [String?] {
        var before = RecordChain("accesses before the chain")
        try await query(after: "", through: Self.mark) { _ in
        } until: { (items, _) throws(EventStoreError) in
            for item in items { _ = before.append([try? item.text("itemId")] + Self.fields(item)) }
            return false
        }
        return ["1", "\(before.count)", before.end.description]
    }

    private static func fields(_ item: Item) -> [String?] {
        let at = (try? item.text("at")).flatMap { Timestamp($0) }
        return [
            (try? item.number("recordNumber")).map { "\($0)" }, at.map { "\($0.milliseconds)" },
            try? item.text("caller"), try? item.text("filters"), (try? item.number("rowCount")).map { "\($0)" },
        ]
    }

    /// How far the chain has come by its last record; nil before the first one.
    private func last() async throws(EventStoreError) -> RecordChain? {
        var last: Item?
        try await query { writer in
            writer.member("Limit", 1)
        } until: { (items, _) throws(EventStoreError) in
            last = items.first
            return true
        }
        guard let last, (try? last.text("itemId"))?.hasPrefix(Self.mark) == true else { return nil }
        return try chain(of: last)
    }

    private func chain(of item: Item) throws(EventStoreError) -> RecordChain {
        do throws(Item.Damage) {
            guard let hash = Hash(bytes: try item.bytes("recordHash")) else {
                throw Item.Damage(attribute: "recordHash")
            }
            return RecordChain(count: Int(try item.number("recordNumber")), end: hash)
        } catch {
            throw .damaged(table.name, error)
        }
    }

    static func place(_ number: Int) -> String {
        let digits = String(number)
        return mark + String(repeating: "0", count: max(19 - digits.count, 0)) + digits
    }

    /// The accesses after a place in their order; without a place all, the last ones first.
    private func query(
        after place: String? = nil, through end: String = "o", _ parameters: (inout JSONWriter) -> Void,
        until enough: ([Item], JSONValue) throws(EventStoreError) -> Bool
    ) async throws(EventStoreError) {
        try await table.pages("Query") { writer in
            writer.member("ConsistentRead") { $0.boolean(true) }
            let range = place == nil ? "" : " AND itemId BETWEEN :after AND :end"
            writer.member("KeyConditionExpression", "projectionId = :name\(range)")
            writer.member("ExpressionAttributeValues") { writer in
                writer.object {
                    $0.attribute(":name", text: Self.name)
                    guard let place else { return }
                    // After it: no place is another one with a space at its end.
                    $0.attribute(":after", text: place + " ")
                    $0.attribute(":end", text: end)
                }
            }
            writer.member("ScanIndexForward") { $0.boolean(place != nil) }
            parameters(&writer)
        } until: { (items, answer) throws(EventStoreError) in
            try enough(items, answer)
        }
    }
}
