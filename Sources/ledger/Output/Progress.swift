import Glibc
import HostSystem
import Replay
import Synchronization

/// Shows how far long work has come on standard error, where that is a terminal.
final class Progress: Sendable {
    private let isShown: Bool
    private let start = ContinuousClock.now
    private let shown = Mutex(ContinuousClock.now)
    private let line = Mutex(ProgressLine())

    init(isShown: Bool) { self.isShown = isShown }

    /// Shows how far a rebuild has come, and the event that it is at.
    func show(_ progress: RebuildProgress) {
        let place = progress.event.map { ", at \($0)" } ?? ""
        show(progress.events, of: progress.total, doing: ", \(progress.phase.rawValue)\(place)")
    }

    /// Shows the state, at most ten times a second.
    func show(_ done: Int, of all: Int, _ unit: String = "events", doing what: String = "") {
        guard isShown, done > 0 else { return }
        let now = ContinuousClock.now
        let isDue = shown.withLock { last in
            guard last.duration(to: now) >= .milliseconds(100) else { return false }
            last = now
            return true
        }
        guard isDue else { return }
        let text = line.withLock { $0.text(done, of: all, unit, after: start.duration(to: now) / .seconds(1)) }
        write("\r\u{1B}[K\(text)\(what)")
    }

    /// Takes the line away.
    func clear() {
        if isShown { write("\r\u{1B}[K") }
    }

    private func write(_ text: String) { StandardStreams.offer(Array(text.utf8), to: STDERR_FILENO) }
}
