import EventStore
import LambdaRuntime
import Synchronization
import Testing

/// What a function works with, over the time that its process lives.
@Suite struct OpeningTests {
    private struct State {
        var time: Duration = .zero
        var made = 0
        var asked = 0
        var answer: Result<Bool, EventStoreError> = .success(true)
    }

    private final class World: Sendable {
        let state = Mutex(State())

        var elapsed: @Sendable () -> Duration { { self.state.withLock(\.time) } }

        var opening: Opening<Int> {
            Opening(elapsed: elapsed) { _ throws(EventStoreError) in
                try self.state.withLock { state in
                    state.asked += 1
                    return state.answer
                }.get()
            } _: { () throws(EventStoreError) in
                self.state.withLock { state in
                    state.made += 1
                    return state.made
                }
            }
        }

        func pass(_ seconds: Int) { state.withLock { $0.time += .seconds(seconds) } }
        func answer(_ answer: Result<Bool, EventStoreError>) { state.withLock { $0.answer = answer } }
    }

    @Test("it is compared every fifteen seconds, and made anew when the ledger is another by then")
    func anew() async throws {
        let world = World()
        let opening = world.opening
        #expect(try await opening.value() == 1)
        world.pass(14)
        #expect(try await opening.value() == 1)
        #expect(world.state.withLock(\.asked) == 0)
        world.pass(1)
        for _ in 0..<2 { #expect(try await opening.value() == 1) }
        #expect(world.state.withLock(\.asked) == 1)
        world.answer(.success(false))
        #expect(try await opening.value() == 1)
        world.pass(15)
        for _ in 0..<2 { #expect(try await opening.value() == 2) }
    }

    @Test("what can't be compared is not worked with")
    func unknown() async throws {
        let world = World()
        let opening = world.opening
        #expect(try await opening.value() == 1)
        world.pass(15)
        world.answer(.failure(EventStoreError(.unavailable, message: "away")))
        for _ in 0..<2 { await #expect(throws: EventStoreError.self) { try await opening.value() } }
        world.answer(.success(true))
        #expect(try await opening.value() == 1)
        #expect(world.state.withLock(\.made) == 1)
    }
}
