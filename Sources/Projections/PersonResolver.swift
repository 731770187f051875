package import Appointments
package import EventStore

/// Finds out who an event is about: opens its sealed field with the person's key.
package struct PersonResolver: Sendable {
    private let directory: any SubjectDirectory
    private let keys: PersonKeys

    package init(directory: any SubjectDirectory, keys: PersonKeys) { (self.directory, self.keys) = (directory, keys) }

    /// With keys that nobody else remembers.
    package init(directory: any SubjectDirectory, keys: KeyRing) {
        self.init(directory: directory, keys: PersonKeys(keys))
    }

    /// The insured person of a `requested` event; nil for other events and for a person who was erased.
    ///
    /// - Throws: `unavailable`, or `corrupt` when the field does not open.
    package func insured(of event: RecordedEvent) async throws(EventStoreError) -> InsuredID? {
        guard let id = event.insuredSubject, let subject = try await directory.subject(id) else { return nil }
        return try keys.insured(of: event, subject)
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
            people[events[index].stream] = try keys.insured(of: events[index], subject)
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

extension RecordedEvent {
    /// Whom the event is about: the random id of the person in the subject directory; nil where it names nobody.
    package var insuredSubject: Identifier? {
        entry.namesPersons ? entry.personal.first { $0.field == "insured" }?.subject : nil
    }
}
