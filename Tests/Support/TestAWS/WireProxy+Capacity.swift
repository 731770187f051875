import EventStore

/// What DynamoDB's calls have cost, in capacity units by table.
package struct CapacityUnits: Equatable, Sendable {
    package var reads: [String: Double] = [:]
    package var writes: [String: Double] = [:]

    /// Of all tables together.
    package var allReads: Double { reads.values.reduce(0, +) }
    package var allWrites: Double { writes.values.reduce(0, +) }
}

extension WireProxy {
    private static let reading: Set<String> = ["GetItem", "BatchGetItem", "Query", "Scan"]

    /// What the calls so far have cost, from the `ConsumedCapacity` of the answers, indexes included.
    ///
    /// Of a batch of reads the emulator tells nothing: each of its keys counts as an item of at most 4 KiB.
    ///
    /// - Throws: what can't be read as JSON.
    package func units() throws -> CapacityUnits {
        try answers.filter { $0.to.headers["x-amz-target"]?.hasPrefix("DynamoDB_") == true }
            .reduce(into: CapacityUnits()) { units, answer in
                let isRead = Self.reading.contains(answer.to.operation)
                let side = isRead ? \CapacityUnits.reads : \CapacityUnits.writes
                let consumed = try JSONValue(answer.body)["ConsumedCapacity"]
                // An object for one table, a list for several.
                for part in consumed.map({ $0.elements.isEmpty ? [$0] : $0.elements }) ?? [] {
                    units[keyPath: side][part["TableName"]?.text ?? "", default: 0] += part["CapacityUnits"]?.real ?? 0
                }
                guard consumed == nil, answer.to.operation == "BatchGetItem" else { return }
                guard case .object(let tables)? = try JSONValue(answer.to.body)["RequestItems"] else { return }
                for (table, asked) in tables {
                    let unit = asked["ConsistentRead"] == .boolean(true) ? 1 : 0.5
                    units.reads[table, default: 0] += unit * Double(asked["Keys"]?.elements.count ?? 0)
                }
            }
    }
}

extension JSONValue {
    fileprivate var real: Double? {
        if case .number(let text) = self { return Double(text) }
        return whole.map(Double.init)
    }
}
