package import Appointments
package import EventStore
import Synchronization

/// The keys of persons that this process has unwrapped: one person has many appointments. Writers and readers share it,
/// so that there is one place that forgets a person.
package final class PersonKeys: Sendable {
    private struct Known {
        var ofSubject: [Identifier: (wrapped: [UInt8], key: SubjectKey)] = [:]
        var ofPerson: [PersonName: SubjectKey] = [:]
    }

    /// The most persons that are remembered; beyond it all are forgotten.
    private static let maximumPersons = 50_000

    package let ring: KeyRing
    private let known = Mutex(Known())

    package init(_ ring: KeyRing) { self.ring = ring }

    /// The insured person of an event.
    ///
    /// - Parameter subject: the row of the directory that the event names.
    /// - Throws: `corrupt` when the field does not open.
    package func insured(of event: RecordedEvent, _ subject: Subject) throws(EventStoreError) -> InsuredID? {
        guard let reference = event.entry.personal.first(where: { $0.field == "insured" }) else { return nil }
        guard let sealed = event.sealed["insured"], Hash(of: sealed) == reference.sha256 else {
            throw EventStoreError(
                .corrupt, message: "the sealed field of \(event.stream) does not hash to what its entry says")
        }
        let clear = try SealedField.open(
            sealed, field: "insured", key: try key(of: subject), stream: event.stream, version: event.version,
            type: event.entry.type)
        return InsuredID(clear)
    }

    /// The key of a person, where it is remembered.
    package func key(of person: PersonName) -> SubjectKey? { known.withLock { $0.ofPerson[person] } }

    /// The key of a row of the directory.
    ///
    /// - Parameter person: who that is, where the caller knows it: then it is found by the name as well.
    /// - Throws: `corrupt` when the stored key does not open with this ring.
    package func key(of subject: Subject, as person: PersonName? = nil) throws(EventStoreError) -> SubjectKey {
        let seen = known.withLock { $0.ofSubject[subject.id] }
        let key = if let seen, seen.wrapped == subject.wrappedKey { seen.key } else { try ring.key(of: subject) }
        known.withLock { known in
            if known.ofSubject.count >= Self.maximumPersons { known = Known() }
            known.ofSubject[subject.id] = (subject.wrappedKey, key)
            if let person { known.ofPerson[person] = key }
        }
        return key
    }

    /// Drops what is remembered of all persons.
    package func forget() { known.withLock { $0 = Known() } }
}
