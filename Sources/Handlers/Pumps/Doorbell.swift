import Synchronization

/// Wakes those who wait for something to do, so that nothing is polled while nothing happens.
///
/// A ring is never lost: who has read `rings` before looking for work, and found none, is woken by any later ring.
package final class Doorbell: Sendable {
    private struct State {
        var rings: UInt64 = 0
        var lastWaiter: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        /// Waiters that may still wait: neither their time is up nor their task cancelled.
        var open: Set<UInt64> = []
    }

    private let state = Mutex(State())
    private let alarm: Alarm

    /// - Parameter alarm: ends the waits that nobody rings for.
    package init(alarm: Alarm) { self.alarm = alarm }

    /// How often the bell rang.
    package var rings: UInt64 { state.withLock { $0.rings } }

    /// Wakes all who wait.
    package func ring() {
        let waiters = state.withLock { state in
            state.rings &+= 1
            defer { state.waiters.removeAll(keepingCapacity: true) }
            // In the order in which they came, so that a simulated run can be repeated.
            return state.waiters.sorted { $0.key < $1.key }
        }
        for waiter in waiters { waiter.value.resume() }
    }

    /// Waits until the bell has rung more often than `seen`, the time is up, or the task is cancelled.
    package func wait(since seen: UInt64, atMostMilliseconds limit: Int64) async {
        let waiter = state.withLock { state in
            state.lastWaiter &+= 1
            state.open.insert(state.lastWaiter)
            return state.lastWaiter
        }
        let turnOff = alarm.set(limit) { [self] in release(waiter) }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = state.withLock { state in
                    if state.rings != seen || !state.open.contains(waiter) { return false }
                    state.waiters[waiter] = continuation
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            release(waiter)
        }
        turnOff()
        state.withLock { _ = $0.open.remove(waiter) }
    }

    private func release(_ waiter: UInt64) {
        let continuation = state.withLock { state in
            // A timer may fire after its waiter has gone; it leaves nothing then.
            state.open.remove(waiter)
            return state.waiters.removeValue(forKey: waiter)
        }
        continuation?.resume()
    }
}
