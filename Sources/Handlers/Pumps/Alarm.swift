/// The clock that waits go by: it says how much time has passed, and calls back after some. It goes on evenly whatever
/// is done to the wall clock. A simulator has one whose time is virtual.
package struct Alarm: Sendable {
    /// Milliseconds since some moment.
    package let uptime: @Sendable () -> Int64
    /// Sets an alarm, and gives what turns it off.
    package let set: @Sendable (_ milliseconds: Int64, _ ring: @escaping @Sendable () -> Void) -> @Sendable () -> Void

    package init(
        uptime: @escaping @Sendable () -> Int64,
        set:
            @escaping @Sendable (
                _ milliseconds: Int64, _ ring: @escaping @Sendable () -> Void
            ) -> @Sendable () -> Void
    ) {
        (self.uptime, self.set) = (uptime, set)
    }

    private static let start = ContinuousClock.now

    /// The alarm of the machine. It counts the time that the machine was asleep: others have gone on meanwhile.
    package static let real = Alarm {
        let passed = start.duration(to: .now).components
        return passed.seconds * 1000 + passed.attoseconds / 1_000_000_000_000_000
    } set: { milliseconds, ring in
        let timer = Task {
            do { try await Task.sleep(for: .milliseconds(milliseconds)) } catch { return }
            ring()
        }
        return { timer.cancel() }
    }
}
