import EventStore
import TestEngines
import Testing

@Suite("The contract of SubjectDirectory")
struct SubjectDirectoryContract {
    private func subject(_ number: Int, country: String = "PE", insured: String = "00123") -> Subject {
        Subject(
            id: Samples.id(number), person: PersonName(country: country, insured: insured), keyNumber: 1,
            wrappedKey: (0..<60).map { UInt8($0 + number) })
    }

    @Test("nobody is known at first", arguments: Engine.ofStores)
    func empty(engine: Engine) async throws {
        let directory = try await engine.make().directory
        #expect(try await directory.subject(of: subject(1).person) == nil)
        #expect(try await directory.subject(Samples.id(1)) == nil)
    }

    @Test("a row is found by the person and by its id", arguments: Engine.ofStores)
    func found(engine: Engine) async throws {
        let directory = try await engine.make().directory
        #expect(try await directory.add(subject(1)) == subject(1))
        #expect(try await directory.subject(of: subject(1).person) == subject(1))
        #expect(try await directory.subject(Samples.id(1)) == subject(1))
    }

    @Test("a person keeps the first row, whoever adds another", arguments: Engine.ofStores)
    func firstRowStays(engine: Engine) async throws {
        let directory = try await engine.make().directory
        _ = try await directory.add(subject(1))
        #expect(try await directory.add(subject(2)) == subject(1))
        #expect(try await directory.subject(Samples.id(2)) == nil)
    }

    @Test("the same number in two countries is two persons", arguments: Engine.ofStores)
    func countries(engine: Engine) async throws {
        let directory = try await engine.make().directory
        _ = try await directory.add(subject(1))
        #expect(try await directory.add(subject(2, country: "CL")) == subject(2, country: "CL"))
        #expect(try await directory.subject(of: subject(1).person) == subject(1))
    }

    @Test("twenty first requests at once agree on one row", arguments: Engine.ofStores)
    func race(engine: Engine) async throws {
        let directory = try await engine.make().directory
        let candidates = (1...20).map { subject($0) }
        let ids = try await withThrowingTaskGroup(of: Identifier.self) { group in
            for candidate in candidates { group.addTask { try await directory.add(candidate).id } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(ids.count == 1)
        #expect(try await directory.subject(of: candidates[0].person)?.id == ids.first)
    }
}
