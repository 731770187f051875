import EventStore
import Handlers

/// Virtual time on one thread: what is to happen when, and the jobs of the tasks that are awake.
///
/// Between two happenings nothing but ready jobs runs, in the order in which they became ready, so the same seed
/// makes the same run.
// Everything that touches it runs on the one thread that calls `runNext`; the executor traps on any other.
final class Timeline: @unchecked Sendable {
    private struct Happening {
        let time: Int64
        let order: UInt64
        let action: () -> Void

        static func < (left: Happening, right: Happening) -> Bool {
            (left.time, left.order) < (right.time, right.order)
        }
    }

    /// Milliseconds since 1970 in virtual time.
    private(set) var now: Int64
    let executor = OneThread()
    private var heap: [Happening] = []
    private var cancelled: Set<UInt64> = []
    private var order: UInt64 = 0
    /// How many happenings in a row changed nothing.
    private var quiet = 0

    init(start: Timestamp) { now = start.milliseconds }

    /// Lets something happen after a time.
    ///
    /// - Returns: a ticket to call it off with.
    @discardableResult
    func after(_ milliseconds: Int64, _ action: @escaping () -> Void) -> UInt64 {
        order += 1
        heap.append(Happening(time: now + max(milliseconds, 0), order: order, action: action))
        siftUp(heap.count - 1)
        return order
    }

    /// Calls off what was to happen.
    func cancel(_ ticket: UInt64) { cancelled.insert(ticket) }

    /// Notes that something changed: idle waits are short again.
    func stir() { quiet = 0 }

    /// Waits.
    func pause(_ milliseconds: Int64) async {
        await withUnsafeContinuation { continuation in
            after(milliseconds) { continuation.resume() }
        }
    }

    /// Alarms are late, at least so: who waits for work is rung for, and looks by itself only now and then.
    private static let shortestAlarm: Int64 = 2_000

    /// An alarm of virtual time. While nothing changes anywhere, alarms come ever later, up to a thousand times: pumps
    /// that only look whether there is work do not fill the days until there is.
    var alarm: Alarm {
        Alarm { [self] in
            now
        } set: { [self] milliseconds, ring in
            let stretch = min(max(quiet - 24, 0) / 12, 10)
            let ticket = after(max(milliseconds, Self.shortestAlarm) << Int64(stretch)) { [self] in
                quiet += 1
                ring()
            }
            return { [self] in cancel(ticket) }
        }
    }

    /// Starts a task on this thread.
    func start(_ body: @escaping @Sendable () async -> Void) {
        _ = Task(executorPreference: executor) { await body() }
    }

    /// Lets the next thing happen, and runs what it wakes.
    ///
    /// - Returns: false when nothing is to happen any more.
    func runNext() -> Bool {
        executor.drain()
        while let next = pop() {
            if cancelled.remove(next.order) != nil { continue }
            now = next.time
            next.action()
            executor.drain()
            return true
        }
        return false
    }

    // MARK: A binary heap

    private func siftUp(_ start: Int) {
        var place = start
        while place > 0, heap[place] < heap[(place - 1) / 2] {
            heap.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    private func pop() -> Happening? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if heap.isEmpty { return first }
        heap[0] = last
        var place = 0
        while true {
            let left = 2 * place + 1
            guard left < heap.count else { return first }
            let child = left + 1 < heap.count && heap[left + 1] < heap[left] ? left + 1 : left
            guard heap[child] < heap[place] else { return first }
            heap.swapAt(place, child)
            place = child
        }
    }
}
