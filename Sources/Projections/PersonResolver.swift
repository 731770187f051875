package import Appointments
package import EventStore
import Synchronization

/// Finds out who an event is about: opens its sealed field with the person's key.
package struct PersonResolver: Sendable {
    private let directory: any SubjectDirectory
    private let opener: PersonOpener

    package init(directory: any SubjectDirectory, keys: KeyRing) {
        (self.directory, opener) = (directory, PersonOpener(keys))
    }

    /// The insured person of a `requested` event; nil for other events and for a person who was erased.
    ///
    /// - Throws: `unavailable`, or `corrupt` when the field does not open.
    package func insured(of event: RecordedEvent) async throws(EventStoreError) -> InsuredID? {
        guard let id = event.insuredSubject, let subject = try await directory.subject(id) else { return nil }
        return try opener.insured(of: event, subject)
    }

    /// The insured persons of many events, by stream; looked up in one go.
    ///
    /// - Throws: `unavailable`, or `corrupt`, naming the event, when a field does not open.
    package func insured(ofAll events: [RecordedEvent]) async throws(EventStoreError) -> [StreamID: InsuredID] {
        // By index: most events name nobody, and are not even copied here.
        var named: [(index: Int, subject: Identifier)] = []
        for index in events.indices {
            if let subject = events[index].insuredSubject { named.append((index, subject)) }
        }
        if named.isEmpty { return [:] }
        let subjects = try await directory.subjects(Set(named.map(\.subject)))
        var people: [StreamID: InsuredID] = [:]
        people.reserveCapacity(named.count)
        for (index, id) in named {
            guard let subject = subjects[id] else { continue }
            people[events[index].stream] = try opener.insured(of: events[index], subject)
        }
        return people
    }

    /// As `insured(ofAll:)`, also where some fields do not open: the others are not to wait for them.
    ///
    /// - Throws: `unavailable`.
    package func persons(of events: [RecordedEvent]) async throws(EventStoreError) -> Persons {
        let all = try await unlessDamaged { () throws(EventStoreError) in try await insured(ofAll: events) }
        if let all { return Persons(insured: all) }
        var persons = Persons()
        for event in events where event.insuredSubject != nil {
            do throws(EventStoreError) {
                persons.insured[event.stream] = try await insured(of: event)
            } catch {
                try error.throwIfUnavailable()
                persons.unreadable[event.stream] = error
            }
        }
        return persons
    }
}

/// Who the appointments of some streams are for.
package struct Persons: Sendable {
    package var insured: [StreamID: InsuredID] = [:]
    /// Why a sealed field does not open.
    package var unreadable: [StreamID: EventStoreError] = [:]

    /// Takes in what was found of a stream that was looked at again.
    mutating func replace(_ stream: StreamID, with other: Persons) {
        insured[stream] = other.insured[stream]
        unreadable[stream] = other.unreadable[stream]
    }
}

/// Opens sealed persons with their keys. It keeps the keys that it has unwrapped: one person has many appointments.
package final class PersonOpener: Sendable {
    /// The most keys that are kept; beyond it all are forgotten.
    private static let maximumKeys = 50_000

    private let keys: KeyRing
    private let unwrapped = Mutex<[Identifier: (wrapped: [UInt8], key: SubjectKey)]>([:])

    package init(_ keys: KeyRing) { self.keys = keys }

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

    private func key(of subject: Subject) throws(EventStoreError) -> SubjectKey {
        let known = unwrapped.withLock { $0[subject.id] }
        if let known, known.wrapped == subject.wrappedKey { return known.key }
        let key = try keys.key(of: subject)
        unwrapped.withLock { kept in
            if kept.count >= Self.maximumKeys { kept.removeAll() }
            kept[subject.id] = (subject.wrappedKey, key)
        }
        return key
    }
}

extension RecordedEvent {
    /// Whom the event is about: the random id of the person in the subject directory; nil where it names nobody.
    package var insuredSubject: Identifier? {
        entry.namesPersons ? entry.personal.first { $0.field == "insured" }?.subject : nil
    }
}
