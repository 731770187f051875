import Glibc

/// The three descriptors that every program expects to have, and the one writer to two of them.
package enum StandardStreams {
    /// Puts /dev/null where one of them was closed, so that no file or socket gets its number: what is printed would be
    /// written into it.
    ///
    /// It is opened the wrong way round: reading and writing still fail, and a result that goes nowhere is an error.
    package static func hold() {
        for number in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(number, F_GETFD) < 0 {
            // The lowest number that is free is this one.
            _ = open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// Writes all of some bytes, and waits for a reader who is slow.
    ///
    /// - Parameter pieces: the most bytes of one write. A pipe takes 4096 whole, so that lines of several processes do
    ///   not mix within them.
    /// - Returns: the system's number for why not all was written; nil when it was.
    @discardableResult
    package static func write(_ bytes: [UInt8], to descriptor: Int32, pieces: Int = .max) -> Int32? {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, min($0.count, pieces)) }
            if count >= 0 {
                rest = rest.dropFirst(count)
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                // Whoever shares the terminal or pipe may have made it non-blocking.
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&ready, 1, -1)
            case let code: return code
            }
        }
        return nil
    }

    /// Writes bytes once. What nobody reads is dropped, not waited for.
    package static func offer(_ bytes: [UInt8], to descriptor: Int32) {
        bytes.withUnsafeBytes { _ = Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }
}
