package import Appointments
package import EventStore
import Synchronization

/// Finds out who an event is about: opens its sealed field with the person's key.
package struct PersonResolver: Sendable {
    private let directory: any SubjectDirectory
    private let keys: KeyRing

    package init(directory: any SubjectDirectory, keys: KeyRing) { (self.directory, self.keys) = (directory, keys) }

    /// The insured person of a `requested` event; nil for other events and for a person who was erased.
    ///
    /// - Throws: `unavailable`, or `corrupt` when the field does not open.
    package func insured(of event: RecordedEvent) async throws(EventStoreError) -> InsuredID? {
        guard let reference = event.entry.personal.first(where: { $0.field == "insured" }),
            let row = try await directory.subject(reference.subject)
        else { return nil }
        guard let sealed = event.sealed["insured"], Hash(of: sealed) == reference.sha256 else {
            throw EventStoreError(
                .corrupt, message: "the sealed field of \(event.stream) does not hash to what its entry says")
        }
        let clear = try SealedField.open(
            sealed, field: "insured", key: try keys.key(of: row), stream: event.stream, version: event.version,
            type: event.entry.type)
        return InsuredID(clear)
    }
}
