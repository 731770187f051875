package import EventStore

extension ChainedRecords {
    /// What contradicts a chain of records; nil when all of it holds.
    ///
    /// - Parameter place: where the chain is, for people.
    /// - Throws: `unavailable`.
    package func finding(in place: String) async throws(EventStoreError) -> Finding? {
        switch try await firstBreak() {
        case nil: nil
        case .record(let number):
            Finding(
                .recordDiffers, position: number, key: chainName,
                message: "record \(number) of the \(chainName) in \(place) does not hash to what is stored with it: it "
                    + "was changed, or one before it was taken out or put in")
        case .end(let count, let wanted):
            Finding(
                .recordMissing, position: count, key: chainName,
                message: "the \(chainName) in \(place) end otherwise than they did: \(count) of \(wanted) are there")
        }
    }
}
