/// Who a person is to a country's insurer: what the directory is asked for.
package struct PersonName: Hashable, Sendable {
    /// ISO 3166-1 alpha-2 code of the country.
    package let country: String
    /// The person's number with the insurer of that country.
    package let insured: String

    package init(country: String, insured: String) { (self.country, self.insured) = (country, insured) }
}

/// A person's own key, unwrapped.
package struct SubjectKey: Sendable {
    /// The random id that entries name the person by.
    package let subject: Identifier
    package let number: Int
    /// 32 bytes.
    package let bytes: [UInt8]

    package init(subject: Identifier, number: Int, bytes: [UInt8]) {
        (self.subject, self.number, self.bytes) = (subject, number, bytes)
    }
}

/// The row of a person in the directory.
package struct Subject: Sendable, Equatable {
    package let id: Identifier
    package let person: PersonName
    package let keyNumber: Int
    /// The person's key, wrapped.
    package let wrappedKey: [UInt8]

    package init(id: Identifier, person: PersonName, keyNumber: Int, wrappedKey: [UInt8]) {
        (self.id, self.person, self.keyNumber, self.wrappedKey) = (id, person, keyNumber, wrappedKey)
    }
}

/// The only place that knows which person a subject id means. A person is erased by deleting the row.
package protocol SubjectDirectory: Sendable {
    /// The row of a person; nil for one who never asked for anything, or was erased.
    func subject(of person: PersonName) async throws(EventStoreError) -> Subject?

    /// The row with this id; nil where there is none, or it was erased.
    func subject(_ id: Identifier) async throws(EventStoreError) -> Subject?

    /// The rows with these ids; those that there are none of, or that were erased, are missing.
    func subjects(_ ids: Set<Identifier>) async throws(EventStoreError) -> [Identifier: Subject]

    /// Stores the row unless the person has one already, and returns the row that is there then.
    func add(_ subject: Subject) async throws(EventStoreError) -> Subject
}

extension SubjectDirectory {
    /// One by one, for a directory that knows no faster way.
    package func subjects(_ ids: Set<Identifier>) async throws(EventStoreError) -> [Identifier: Subject] {
        var rows: [Identifier: Subject] = [:]
        for id in ids { rows[id] = try await subject(id) }
        return rows
    }
}
