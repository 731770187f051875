/// Calls back after a time: what everything that waits is woken by. A simulator has one whose time is virtual.
package struct Alarm: Sendable {
    /// Sets an alarm, and gives what turns it off.
    package let set: @Sendable (_ milliseconds: Int64, _ ring: @escaping @Sendable () -> Void) -> @Sendable () -> Void

    package init(
        set:
            @escaping @Sendable (
                _ milliseconds: Int64, _ ring: @escaping @Sendable () -> Void
            ) -> @Sendable () -> Void
    ) {
        self.set = set
    }

    /// The alarm of the real clock.
    package static let real = Alarm { milliseconds, ring in
        let timer = Task {
            do { try await Task.sleep(for: .milliseconds(milliseconds)) } catch { return }
            ring()
        }
        return { timer.cancel() }
    }
}
