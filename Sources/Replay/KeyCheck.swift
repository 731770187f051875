package import EventStore

/// Verifies that the API keys are those that the records of their changes make, and that no record was changed.
package struct KeyCheck: Sendable {
    private let keys: any APIKeys

    /// How often it is looked again while somebody changes keys.
    private static let maximumLooks = 10

    package init(_ keys: any APIKeys) { self.keys = keys }

    /// - Throws: `unavailable`.
    package func run() async throws(EventStoreError) -> VerifyReport {
        var report = VerifyReport([.chain])
        do throws(EventStoreError) {
            var records = try await keys.records()
            for look in 1... {
                let held = try await keys.list()
                let again = try await keys.records()
                if again.count == records.count || look == Self.maximumLooks {
                    compare(held, records, &report)
                    break
                }
                records = again
            }
        } catch {
            guard error.code == .corrupt else { throw error }
            report.add(Finding(.keyDiffers, message: "an API key can't be read: \(error.message)"))
        }
        return report
    }

    private func compare(_ held: [APIKey], _ stored: [ChainedRecord], _ report: inout VerifyReport) {
        var chain = RecordChain(KeyRecord.chainName)
        var history = KeyHistory()
        for record in stored {
            let isNext = record.number == chain.count + 1
            guard chain.append(record.fields) == record.hash, isNext, let read = KeyRecord(fields: record.fields) else {
                report.add(
                    Finding(
                        .keyRecordBroken,
                        message: "record \(record.number) of changes of API keys does not follow the one before: it "
                            + "was changed, or one before it is gone"))
                return
            }
            history.take(read)
        }
        let wanted = Dictionary(history.keys.map { ($0.digest, $0) }) { first, _ in first }
        let found = Dictionary(held.map { ($0.digest, $0) }) { first, _ in first }
        for key in held where wanted[key.digest] != key {
            let what = wanted[key.digest].map { "is not what its records say: \(key.difference(from: $0))" }
            report.add(
                Finding(
                    .keyDiffers,
                    message: "API key \(key.id) of \(key.name) \(what ?? "has no record of being made")"))
        }
        for key in history.keys where found[key.digest] == nil {
            report.add(
                Finding(.keyDiffers, message: "API key \(key.id) of \(key.name) is gone"))
        }
    }
}

extension APIKey {
    /// What differs from another state of the same key, in words.
    fileprivate func difference(from other: APIKey) -> String {
        func text(_ moment: Timestamp?) -> String { moment?.description ?? "never" }
        var parts: [String] = []
        if name != other.name { parts.append("holder \(name) instead of \(other.name)") }
        if role != other.role { parts.append("role \(role.rawValue) instead of \(other.role.rawValue)") }
        if createdAt != other.createdAt { parts.append("made \(createdAt) instead of \(other.createdAt)") }
        if revokedAt != other.revokedAt {
            parts.append("revoked \(text(revokedAt)) instead of \(text(other.revokedAt))")
        }
        return parts.joined(separator: ", ")
    }
}
