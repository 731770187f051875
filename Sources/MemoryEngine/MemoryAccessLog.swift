package import EventStore
import Synchronization

/// The reference for an audit trail: all accesses in memory.
package final class MemoryAccessLog: AccessLog {
    private struct Kept {
        var all: [AccessRecord] = []
        var hashes: [Hash] = []
        var chain = RecordChain("accesses")
    }

    private let kept = Mutex(Kept())

    package init() {}

    package func record(_ access: AccessRecord) async throws(EventStoreError) {
        kept.withLock { kept in
            kept.all.append(access)
            kept.hashes.append(kept.chain.append(access.fields(kept.all.count)))
        }
    }

    package func accesses(
        matching filter: AccessFilter, limit: Int
    ) async throws(EventStoreError) -> [AccessRecord] {
        kept.withLock { Array($0.all.reversed().filter(filter.matches).prefix(max(limit, 0))) }
    }
}

extension MemoryAccessLog: ChainedRecords {
    package var chainName: String { "accesses" }

    package func chain() async throws(EventStoreError) -> RecordChain { kept.withLock { $0.chain } }

    package func records(after number: Int?, limit: Int) async throws(EventStoreError) -> [ChainedRecord] {
        kept.withLock { kept in
            kept.all.indices.dropFirst(number ?? 0).prefix(limit).map { index in
                ChainedRecord(
                    number: index + 1, fields: kept.all[index].fields(index + 1), hash: kept.hashes[index])
            }
        }
    }
}
