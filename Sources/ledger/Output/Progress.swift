import Glibc
import Replay
import Synchronization

/// Shows how far long work has come, on a terminal's standard error; nothing elsewhere.
final class Progress: Sendable {
    private static let isShown = isatty(STDERR_FILENO) == 1
    private let start = ContinuousClock.now
    private let shown = Mutex(ContinuousClock.now)

    /// Shows how far a rebuild has come, and the stream that it is at.
    func show(_ progress: RebuildProgress) {
        let place = progress.stream.map { ", at \($0)" } ?? ""
        show(progress.events, of: progress.total, doing: ", \(progress.phase.rawValue)\(place)")
    }

    /// Shows the state, at most ten times a second.
    func show(_ done: Int, of all: Int, doing what: String = "") {
        guard Self.isShown, done > 0 else { return }
        let now = ContinuousClock.now
        let isDue = shown.withLock { last in
            guard last.duration(to: now) >= .milliseconds(100) else { return false }
            last = now
            return true
        }
        guard isDue else { return }
        let seconds = max(start.duration(to: now) / .seconds(1), 0.001)
        let rate = Double(done) / seconds
        let left = Int((Double(all - done) / rate).rounded(.up))
        let share = done * 100 / max(all, 1)
        write("\r\u{1B}[K\(share) %  \(done) of \(all) events, \(Int(rate))/s, \(left) s left\(what)")
    }

    /// Takes the line away.
    func clear() {
        if Self.isShown { write("\r\u{1B}[K") }
    }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
