import Dispatch
import Glibc
import Synchronization

/// Writes lines to a file descriptor on a thread of its own, so that a reader who does not read stops nobody else.
///
/// What waits has a limit. Lines beyond it are dropped and counted, and a later line says how many they were.
package final class LogWriter: Sendable {
    private struct State {
        var waiting: [UInt8] = []
        /// Lines that were dropped since the last line that says so.
        var unsaid = 0
        var dropped = 0
        var isWriting = false
    }

    private let descriptor: Int32
    private let capacity: Int
    private let state = Mutex(State())
    private let filled = DispatchSemaphore(value: 0)

    /// - Parameter capacity: the most bytes that wait.
    /// - Parameter told: makes the line that says how many lines were dropped.
    package init(_ descriptor: Int32, capacity: Int = 1 << 20, told: @escaping @Sendable (Int) -> [UInt8]) {
        (self.descriptor, self.capacity) = (descriptor, capacity)
        DispatchQueue(label: "ledger.log").async { [self] in
            while true { writeNext(told) }
        }
    }

    /// How many lines were dropped in all.
    package var droppedLines: Int { state.withLock { $0.dropped } }

    /// Takes a line, its newline included. It never waits.
    package func write(_ line: [UInt8]) {
        let isTaken = state.withLock { state in
            guard state.waiting.count + line.count <= capacity else {
                state.unsaid += 1
                state.dropped += 1
                return false
            }
            state.waiting += line
            return true
        }
        if isTaken { filled.signal() }
    }

    /// Waits until all is written, or the time is over: somebody who does not read now may never.
    package func flush(atMostMilliseconds limit: Int) {
        let end = ContinuousClock.now + .milliseconds(limit)
        while !state.withLock({ $0.waiting.isEmpty && !$0.isWriting }), ContinuousClock.now < end { usleep(2000) }
    }

    private func writeNext(_ told: @Sendable (Int) -> [UInt8]) {
        filled.wait()
        let (lines, unsaid) = state.withLock { state in
            defer { (state.waiting, state.unsaid) = ([], 0) }
            state.isWriting = !state.waiting.isEmpty
            return (state.waiting, state.unsaid)
        }
        if lines.isEmpty { return }
        put(lines)
        // They were dropped while these lines waited.
        if unsaid > 0 { put(told(unsaid)) }
        state.withLock { $0.isWriting = false }
    }

    private func put(_ bytes: [UInt8]) { StandardStreams.write(bytes, to: descriptor, pieces: 4096) }
}
