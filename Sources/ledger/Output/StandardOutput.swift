import Glibc
import HostSystem

/// Standard output without a buffer of its own.
enum StandardOutput {
    /// Ends a command that has nothing to print now and would else never learn that nobody reads any more.
    ///
    /// - Throws: `OutputClosed`.
    static func requireReader() throws {
        var output = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
        if poll(&output, 1, 0) > 0, output.revents & Int16(POLLERR | POLLHUP | POLLNVAL) != 0 { throw OutputClosed() }
    }

    /// - Throws: `OutputClosed` when nobody reads any more; a refusal when the output can't be written, so that a
    ///   result that was cut off by a full disk does not pass for a whole one.
    @Sendable static func write(_ bytes: [UInt8]) throws {
        switch StandardStreams.write(bytes, to: STDOUT_FILENO) {
        case nil: return
        case EPIPE: throw OutputClosed()
        case .some(let code):
            throw Refusal(
                "standard output can't be written (\(String(cString: strerror(code)))): it is not complete")
        }
    }
}

/// Nobody reads the output any more, as with `| head`: the command ends, and that is no failure.
struct OutputClosed: Error {}
