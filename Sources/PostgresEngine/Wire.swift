import CPostgres
import Glibc

/// A connection of libpq in its non-blocking mode, and the waiting for it: the one place where a thread stands still.
///
/// It is used on one thread at a time, that of its session's lane.
final class Wire {
    /// How long an answer may take after the server was told to stop, before the connection is given up: less where
    /// nobody waits for it any more.
    private static let (graceMilliseconds, graceOfInterruptMilliseconds) = (5000, 1000)

    let connection: OpaquePointer
    private let interrupt: Interrupt
    private(set) var isBroken = false
    /// When the connection is given up after the server was told to stop a statement; nil while it was not.
    private var graceEnd: Deadline?

    /// Whether the server was told to stop a statement. Such a session is not used again, since the request to stop
    /// travels next to the statements.
    var hasCancelled: Bool { graceEnd != nil }
    /// Whether the caller has gone away.
    var isInterrupted: Bool { interrupt.isRung }

    /// Connects, and waits for it no longer than told.
    init(_ options: [String: String], withinMilliseconds limit: Int, interrupt: Interrupt) throws(PostgresError) {
        let pairs = options.sorted { $0.key < $1.key }
        let started = pairs.map(\.key).withCStrings { keys in
            pairs.map(\.value).withCStrings { values in PQconnectStartParams(keys, values, 0) }
        }
        guard let started else { throw PostgresError.lost("no memory is left for a connection") }
        (connection, self.interrupt) = (started, interrupt)
        // The default prints to the standard error output. A farewell to an idle session comes as a notice too.
        let noted: PQnoticeReceiver = { wire, notice in
            guard let wire, let severity = PQresultErrorField(notice, Answer.severity) else { return }
            if strcmp(severity, "FATAL") == 0 { Unmanaged<Wire>.fromOpaque(wire).takeUnretainedValue().abandon() }
        }
        _ = PQsetNoticeReceiver(connection, noted, Unmanaged.passUnretained(self).toOpaque())
        do {
            try finishConnecting(until: Deadline(milliseconds: limit))
            try refuseOpenLine(options["sslmode"])
        } catch {
            isBroken = true
            throw error
        }
        _ = PQsetnonblocking(connection, 1)
    }

    deinit { PQfinish(connection) }

    private func finishConnecting(until deadline: Deadline) throws(PostgresError) {
        guard PQstatus(connection) != CONNECTION_BAD else { throw connectionFailure() }
        var step = PGRES_POLLING_WRITING
        while step != PGRES_POLLING_OK {
            guard step != PGRES_POLLING_FAILED else { throw connectionFailure() }
            guard try waitForSocket(writing: step == PGRES_POLLING_WRITING, until: deadline, isConnecting: true) else {
                throw PostgresError.lost("the server did not accept the connection in time", sqlState: "08001")
            }
            step = PQconnectPoll(connection)
        }
    }

    /// Names like localhost may lead elsewhere, so what was reached is looked at too.
    private func refuseOpenLine(_ mode: String?) throws(PostgresError) {
        guard PQsslInUse(connection) == 0, mode != "verify-full" else { return }
        let host = PQhost(connection).map { String(cString: $0) } ?? ""
        let address = PQhostaddr(connection).map { String(cString: $0) } ?? ""
        guard PostgresSettings.isLocal(host), address.isEmpty || PostgresSettings.isLocal(address) else {
            throw PostgresError.lost("the connection to \(host) is not encrypted: set sslmode=verify-full")
        }
    }

    private func connectionFailure() -> PostgresError {
        // The connection was never made, so whatever the reason, the server has done nothing.
        PostgresError.lost(lastMessage, sqlState: Self.stateOfLogin(lastMessage))
    }

    /// libpq gives no code for what a server answers to a login, only its text.
    private static func stateOfLogin(_ text: String) -> String {
        if text.contains("password authentication failed") { return "28P01" }
        if text.contains("no pg_hba.conf entry") || text.contains("authentication failed") { return "28000" }
        if text.contains("is not permitted to log in") { return "28000" }
        if text.contains("database \""), text.contains("does not exist") { return "3D000" }
        if text.contains("role \""), text.contains("does not exist") { return "28000" }
        if text.contains("permission denied for database") { return "42501" }
        // What libpq says of a server that it was told to write to.
        if text.contains("session is read-only") || text.contains("hot standby mode") { return "25006" }
        if text.contains("starting up") || text.contains("shutting down") { return "57P03" }
        return text.contains("too many clients") ? "53300" : "08001"
    }

    var lastMessage: String { PQerrorMessage(connection).map { Self.oneLine(String(cString: $0)) } ?? "" }

    static func oneLine(_ text: String) -> String {
        text.split(separator: "\n").map { $0.trimmingSpaces }.joined(separator: "; ")
    }
}

// MARK: - Waiting

extension Wire {
    /// Sends what is left to send and takes the next result; nil when the statement has no more.
    ///
    /// - Throws: when the server does not answer in time. An error that the server reports is a result.
    func nextResult(until deadline: Deadline) throws(PostgresError) -> Answer? {
        while PQisBusy(connection) == 1 {
            let unsent = PQflush(connection)
            if PQisBusy(connection) == 0 { break }
            try wait(writing: unsent == 1, until: deadline)
            // Whatever went wrong becomes a result, with what the server said before it went.
            if PQconsumeInput(connection) == 0 { break }
        }
        guard let result = PQgetResult(connection) else { return nil }
        if PQstatus(connection) == CONNECTION_BAD { isBroken = true }
        return Answer(result)
    }

    /// Waits until there is something to read, or room to write.
    func wait(writing: Bool, until deadline: Deadline) throws(PostgresError) {
        if !isInterrupted || hasCancelled, try waitForSocket(writing: writing, until: graceEnd ?? deadline) { return }
        if !hasCancelled {
            let end = Deadline(
                milliseconds: isInterrupted ? Self.graceOfInterruptMilliseconds : Self.graceMilliseconds)
            graceEnd = end
            cancel()
            if try waitForSocket(writing: writing, until: end) { return }
        }
        isBroken = true
        throw PostgresError.lost("the server did not answer in time")
    }

    /// False when the time is over or the interrupt rang first.
    private func waitForSocket(
        writing: Bool, until deadline: Deadline, isConnecting: Bool = false
    ) throws(PostgresError) -> Bool {
        let socket = PQsocket(connection)
        // Without a socket libpq knows by itself that the connection is gone.
        if socket < 0 { return true }
        while true {
            let events = (writing ? POLLOUT : 0) | (isConnecting && writing ? 0 : POLLIN)
            var waited = [
                pollfd(fd: socket, events: Int16(events), revents: 0),
                // poll(2) passes over a negative descriptor.
                pollfd(fd: hasCancelled ? -1 : interrupt.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&waited, 2, deadline.pollMilliseconds)
            if ready < 0, errno == EINTR { continue }
            if ready > 0, waited[0].revents != 0 { return true }
            if isConnecting, ready > 0 { throw PostgresError.lost("the caller gave up", sqlState: "57014") }
            if ready > 0 || deadline.isOver { return false }
        }
    }

    /// Tells the server to stop the statement. A request that does not arrive is made up for by the grace period.
    ///
    /// libpq connects anew for it, sends, and waits for the server to close, all without a time-out: a thread does that
    /// which nobody waits for. The request is its own, and has nothing of the connection.
    private func cancel() {
        guard let request = PQgetCancel(connection) else { return }
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { request in
                let request = request.map { OpaquePointer($0) }
                var reason = [CChar](repeating: 0, count: 256)
                _ = PQcancel(request, &reason, Int32(reason.count))
                PQfreeCancel(request)
                return nil
            }, UnsafeMutableRawPointer(request))
        if status == 0 { pthread_detach(thread) } else { PQfreeCancel(request) }
    }

    /// Gives the connection up, in whatever state it is.
    func abandon() { isBroken = true }

    /// Whether an idle connection is still good, as far as can be told without asking the server.
    func isAlive() -> Bool {
        var waited = pollfd(fd: PQsocket(connection), events: Int16(POLLIN), revents: 0)
        // Mostly the server's farewell and the end after it; a changed setting that it reports is harmless.
        while !isBroken, poll(&waited, 1, 0) > 0 {
            if PQconsumeInput(connection) == 0 || PQisBusy(connection) == 1 { return false }
        }
        return !isBroken && PQstatus(connection) == CONNECTION_OK
    }
}

/// A moment that a wait ends at.
struct Deadline {
    private let end: ContinuousClock.Instant?

    /// So many milliseconds from now; never for 0.
    init(milliseconds: Int) {
        end = milliseconds == 0 ? nil : ContinuousClock.now + .milliseconds(milliseconds)
    }

    var isOver: Bool { end.map { ContinuousClock.now >= $0 } ?? false }

    /// What poll(2) takes: rounded up, so that it does not turn in circles; -1 for no end.
    var pollMilliseconds: Int32 {
        guard let end else { return -1 }
        let left = max(end - ContinuousClock.now, .zero).components
        return Int32(clamping: left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000 + 1)
    }
}

extension [String] {
    /// Gives the strings to C as an array that ends with a null pointer.
    func withCStrings<Result>(_ body: (UnsafePointer<UnsafePointer<CChar>?>) throws -> Result) rethrows -> Result {
        let copies = map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return try (copies.map { $0.map { UnsafePointer($0) } } + [nil]).withUnsafeBufferPointer { strings in
            guard let start = strings.baseAddress else { preconditionFailure("an array with an end is not empty") }
            return try body(start)
        }
    }
}

extension StringProtocol {
    /// The text without spaces and tabs around it.
    fileprivate var trimmingSpaces: String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" }
        return String(self.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    }
}
