import EventStore

/// Says which of several workers reads the change stream for a consumer. AWS lets about two read a shard together: more
/// of them throttle each other.
///
/// It only spares calls: two that hold it together, by clocks that differ, take in the same records twice.
struct ChangeLease: Sendable {
    let table: DynamoDBTable
    let consumer: String
    /// The worker's own name, which no other has.
    let holder: String

    /// How long it holds after it was taken.
    static let milliseconds: Int64 = 30_000
    /// After how long its holder takes it again.
    static let renewAfterMilliseconds: Int64 = 10_000
    /// How often others ask for it.
    static let askEveryMilliseconds: Int64 = 2000

    private func key(_ writer: inout JSONWriter) {
        writer.attribute("projectionId", text: "stream/\(consumer)")
        writer.attribute("itemId", text: "lease")
    }

    /// Takes the lease, or renews it. One that ends later than two leases from now was taken by a clock that was ahead,
    /// and holds nobody up.
    ///
    /// - Returns: false while another has it.
    func take(at now: Timestamp) async throws(EventStoreError) -> Bool {
        let standing = try await table.put(
            {
                key(&$0)
                $0.attribute("holder", text: holder)
                $0.attribute("leaseEnds", number: now.milliseconds + Self.milliseconds)
            },
            if: "attribute_not_exists(projectionId) OR holder = :me OR leaseEnds < :now "
                + "OR leaseEnds > :beyond",
            values: {
                $0.attribute(":me", text: holder)
                $0.attribute(":now", number: now.milliseconds)
                // Clocks of two machines differ a little.
                $0.attribute(":beyond", number: now.milliseconds + 2 * Self.milliseconds)
            })
        return standing == nil
    }

    /// Gives the lease back, unless another has it by now.
    func release() async throws(EventStoreError) {
        _ = try await table.delete({ key(&$0) }, if: "holder = :me", values: { $0.attribute(":me", text: holder) })
    }
}
