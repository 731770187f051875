package import EventStore
import Synchronization

/// The reference: all keys in memory.
package final class MemoryAPIKeys: APIKeys {
    private struct State {
        var history = KeyHistory()
        var records: [ChainedRecord] = []
        var chain = RecordChain(KeyRecord.chainName)
    }

    private let state = Mutex(State())

    package init() {}

    package func carryOut(
        _ command: KeyCommand, by actor: String, at now: Timestamp
    ) async throws(EventStoreError) -> [KeyRecord] {
        try state.withLock { (state) throws(EventStoreError) in
            let records = try command.records(on: state.history.keys(of: command.name), by: actor, at: now)
            for record in records {
                let hash = state.chain.append(record.fields)
                state.records.append(ChainedRecord(number: state.chain.count, fields: record.fields, hash: hash))
                state.history.take(record)
            }
            return records
        }
    }

    package func key(digest: Hash) async throws(EventStoreError) -> APIKey? {
        state.withLock { state in state.history.keys.first { $0.digest == digest } }
    }

    package func list() async throws(EventStoreError) -> [APIKey] { state.withLock { $0.history.keys.inOrder } }

    package func records() async throws(EventStoreError) -> [ChainedRecord] { state.withLock { $0.records } }
}
