import Glibc
import Synchronization

/// Wakes a session that waits for its server, from any thread.
final class Interrupt: Sendable {
    /// A pipe: poll(2) waits for the socket and for this together.
    private let ends: (reading: Int32, writing: Int32)
    private let flag = Atomic<Bool>(false)

    /// - Throws: when the process has no file descriptor left.
    init() throws(PostgresError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw PostgresError.lost("no pipe could be opened: the process has too many open files")
        }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        self.ends = (ends[0], ends[1])
    }

    var descriptor: Int32 { ends.reading }

    /// Whether it was rung since it was last cleared.
    var isRung: Bool { flag.load(ordering: .acquiring) }

    func ring() {
        guard !flag.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var byte: UInt8 = 1
        _ = write(ends.writing, &byte, 1)
    }

    /// Forgets that it was rung, before the session is given to the next caller.
    func clear() {
        guard flag.exchange(false, ordering: .acquiringAndReleasing) else { return }
        var byte: UInt8 = 0
        _ = read(ends.reading, &byte, 1)
    }

    deinit {
        close(ends.reading)
        close(ends.writing)
    }
}
