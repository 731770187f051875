import Glibc

/// The three descriptors that every program expects to have.
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
}
