import API
import NIOCore
import Synchronization

/// The connections that are open. It sees to it that no address has all of them, and that the answers that nobody reads
/// do not fill the memory.
final class ConnectionTable: Sendable {
    private struct State {
        var open: [ObjectIdentifier: OpenConnection] = [:]
        var ofAddress: [IPAddress?: Int] = [:]

        mutating func remove(_ connection: OpenConnection) {
            guard open.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
            let left = (ofAddress[connection.address] ?? 1) - 1
            ofAddress[connection.address] = left > 0 ? left : nil
        }

        /// The connection that has waited longest for its client; nil when all are at work.
        func longestIdle(of address: IPAddress??) -> OpenConnection? {
            var found: OpenConnection?
            var since = OpenConnection.busy
            for connection in open.values where address == nil || connection.address == address {
                let own = connection.idleSince
                if own < since { (found, since) = (connection, own) }
            }
            return found
        }
    }

    private let limits: TransportLimits
    private let state = Mutex(State())
    /// Bytes of answers that no client has taken yet.
    private let held = Atomic<Int>(0)

    init(_ limits: TransportLimits) { self.limits = limits }

    /// Bytes of answers that wait for their clients, over all connections.
    var heldBytes: Int { held.load(ordering: .relaxed) }

    /// Takes a connection in. Where its address has too many, or all are taken, the one that has waited longest for its
    /// client is closed for it.
    ///
    /// - Returns: false when every connection that could make room is at work.
    func admit(_ connection: OpenConnection) -> Bool {
        let (isAdmitted, idle) = state.withLock { state -> (Bool, OpenConnection?) in
            var idle: OpenConnection?
            let isOverItsLimit =
                !connection.isOfProxy && state.ofAddress[connection.address] ?? 0 >= limits.connectionsPerAddress
            if isOverItsLimit || state.open.count >= limits.connections {
                idle = state.longestIdle(of: isOverItsLimit ? .some(connection.address) : nil)
                guard let idle else { return (false, nil) }
                state.remove(idle)
            }
            state.open[ObjectIdentifier(connection)] = connection
            state.ofAddress[connection.address, default: 0] += 1
            return (true, idle)
        }
        idle?.cutOff()
        return isAdmitted
    }

    func remove(_ connection: OpenConnection) { state.withLock { $0.remove(connection) } }

    /// Counts bytes of answers. Beyond the budget the client is cut off that has let its answers wait for longest: one
    /// that reads takes them within moments, one that attacks never does.
    fileprivate func count(_ bytes: Int) {
        var total = held.add(bytes, ordering: .relaxed).newValue
        while bytes > 0, total > limits.answerBytes {
            let slowest = state.withLock { state in
                let waiting = state.open.values.compactMap { open in open.unreadSince.map { (open, $0) } }
                return waiting.min { $0.1 < $1.1 }?.0
            }
            guard let slowest else { return }
            slowest.cutOff()
            remove(slowest)
            total = held.load(ordering: .relaxed)
        }
    }
}

/// What the table knows of one connection, from every thread.
final class OpenConnection: Sendable {
    /// Later than any moment: an answer is being made.
    static let busy = Int64.max

    private struct Answers {
        /// Bytes that were written and that the client has not taken.
        var bytes = 0
        /// Since when the client has taken nothing of them.
        var since = NIODeadline.now()
        var waiting: CheckedContinuation<Void, Never>?
        var isClosed = false
    }

    /// Whom it is counted for: an IPv4 address, or the /64 that one IPv6 customer has.
    let address: IPAddress?
    /// Behind a trusted proxy there are many callers.
    let isOfProxy: Bool
    private let channel: any Channel
    private let table: ConnectionTable
    private let unreadBytes: Int
    private let waitsSince = Atomic<Int64>(Int64(NIODeadline.now().uptimeNanoseconds))
    private let answers = Mutex(Answers())

    init(_ channel: any Channel, _ table: ConnectionTable, limits: TransportLimits) {
        (self.channel, self.table, unreadBytes) = (channel, table, limits.unreadBytes)
        let caller = channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }
        (address, isOfProxy) = (caller?.customer, caller.map(limits.proxies.isTrusted) ?? false)
        channel.closeFuture.whenComplete { [self] _ in
            table.remove(self)
            close()
        }
    }

    /// Since when it waits for its client, be it for a request or that an answer is read; `busy` when it does not.
    var idleSince: Int64 { waitsSince.load(ordering: .relaxed) }

    /// Since when the client has taken nothing of what waits for it; nil when nothing waits.
    var unreadSince: NIODeadline? { answers.withLock { $0.bytes > 0 ? $0.since : nil } }

    /// An answer is being made.
    func begins() { waitsSince.store(Self.busy, ordering: .relaxed) }

    /// An answer was made, and its bytes wait for the client.
    func holds(_ bytes: Int) {
        waitsSince.store(Int64(NIODeadline.now().uptimeNanoseconds), ordering: .relaxed)
        let isOpen = answers.withLock { answers in
            if answers.isClosed { return false }
            if answers.bytes == 0 { answers.since = .now() }
            answers.bytes += bytes
            return true
        }
        if isOpen { table.count(bytes) }
    }

    /// The client has taken an answer, or never will.
    func gave(_ bytes: Int) {
        let (isOpen, waiting) = answers.withLock { answers -> (Bool, CheckedContinuation<Void, Never>?) in
            if answers.isClosed { return (false, nil) }
            answers.bytes -= bytes
            answers.since = .now()
            if answers.bytes > unreadBytes { return (true, nil) }
            defer { answers.waiting = nil }
            return (true, answers.waiting)
        }
        if isOpen { table.count(-bytes) }
        waiting?.resume()
    }

    /// Waits until the client has taken enough of its answers that another may be made.
    func room() async {
        if answers.withLock({ $0.bytes <= unreadBytes || $0.isClosed }) { return }
        await withCheckedContinuation { continuation in
            let hasRoom = answers.withLock { answers in
                if answers.bytes <= unreadBytes || answers.isClosed { return true }
                answers.waiting = continuation
                return false
            }
            if hasRoom { continuation.resume() }
        }
    }

    /// Ends it immediately, whatever is under way.
    func cutOff() {
        close()
        channel.close(promise: nil)
    }

    private func close() {
        let (bytes, waiting) = answers.withLock { answers -> (Int, CheckedContinuation<Void, Never>?) in
            if answers.isClosed { return (0, nil) }
            answers.isClosed = true
            defer { (answers.bytes, answers.waiting) = (0, nil) }
            return (answers.bytes, answers.waiting)
        }
        if bytes > 0 { table.count(-bytes) }
        waiting?.resume()
    }
}
