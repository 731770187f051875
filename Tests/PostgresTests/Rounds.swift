import Foundation
import Synchronization

/// Counts from any thread.
final class Rounds: Sendable {
    private let value = Atomic<Int>(0)

    var number: Int { value.load(ordering: .relaxed) }

    func count() { value.add(1, ordering: .relaxed) }

    func discount() { value.subtract(1, ordering: .relaxed) }

    func raise(to number: Int) { value.max(number, ordering: .relaxed) }
}

/// Steps that a test and the thread of a session wait for in each other.
final class Gate: Sendable {
    enum Step: Hashable { case entered, released }

    private let steps = Mutex<Set<Step>>([])

    func open(_ step: Step) { steps.withLock { _ = $0.insert(step) } }

    private func isOpen(_ step: Step) -> Bool { steps.withLock { $0.contains(step) } }

    /// Waits on the thread of a session, which is there to be blocked.
    func wait(for step: Step) {
        while !isOpen(step) { usleep(1000) }
    }

    func opened(_ step: Step) async {
        while !isOpen(step) { await Task.yield() }
    }
}
