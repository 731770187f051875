package import EventStore
import Synchronization

/// The reference directory: all rows in memory.
package final class MemorySubjectDirectory: SubjectDirectory {
    private let subjects = Mutex<[PersonName: Subject]>([:])

    package init() {}

    package func subject(of person: PersonName) async throws(EventStoreError) -> Subject? {
        subjects.withLock { $0[person] }
    }

    package func subject(_ id: Identifier) async throws(EventStoreError) -> Subject? {
        subjectNow(id)
    }

    /// The row with this id, immediately.
    package func subjectNow(_ id: Identifier) -> Subject? { subjects.withLock { $0.values.first { $0.id == id } } }

    package func add(_ subject: Subject) async throws(EventStoreError) -> Subject { addNow(subject) }

    /// Stores a row immediately; the rules are those of `add`.
    package func addNow(_ subject: Subject) -> Subject {
        subjects.withLock { rows in
            if let row = rows[subject.person] { return row }
            rows[subject.person] = subject
            return subject
        }
    }
}
