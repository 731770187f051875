import Dispatch
package import EventStore
import Synchronization

/// A few sessions at one database, given to one caller at a time. Each has a thread of its own.
package final class PostgresPool: Sendable {
    /// How often a transaction that lost a race is run.
    private static let maximumRounds = 3
    private static let timers = DispatchQueue(label: "ledger.postgres.patience")

    private struct Waiter {
        let number: Int
        let continuation: CheckedContinuation<Grant, Never>
    }

    private struct State {
        var idle: [Lane] = []
        var laneCount = 0
        var waiting: [Waiter] = []
        var lastWaiter = 0
        var isClosed = false
        /// Those who wait for the last lane to close.
        var closing: [CheckedContinuation<Void, Never>] = []
        var reconnection = Reconnection()
    }

    private let settings: PostgresSettings
    private let size: Int
    private let patienceMilliseconds: Int
    private let random: @Sendable () -> UInt64
    private let state = Mutex(State())

    /// A pool that opens its sessions when they are wanted.
    ///
    /// - Parameters:
    ///   - size: the most sessions that are open together.
    ///   - patienceMilliseconds: how long a caller waits for a session that is free, or for the next try to connect.
    ///   - random: bits for the times between tries, so that many processes do not come back together.
    package init(
        _ settings: PostgresSettings, size: Int = 8, patienceMilliseconds: Int = 3000,
        random: @escaping @Sendable () -> UInt64
    ) {
        (self.settings, self.size, self.random) = (settings, max(size, 1), random)
        self.patienceMilliseconds = patienceMilliseconds
    }

    /// Runs work on a session that nobody else uses meanwhile, on the session's own thread.
    ///
    /// Nothing is run twice: when the session breaks, the caller is told. What is open when the body returns or throws
    /// is rolled back. A cancelled task has the server stop its statement.
    /// - Throws: `unavailable` when no session comes free, none can be opened, or the server does not answer;
    ///   otherwise what the body throws, with `EventStoreError.postgres` for what the server said.
    @discardableResult
    package func use<Value: Sendable>(
        _ body: @escaping @Sendable (PostgresSession) throws -> Value
    ) async throws(EventStoreError) -> Value {
        let lane = try await acquire()
        defer { release(lane) }
        lane.reset()
        do {
            if let result = await lane.perform(body) { return try result.get() }
            try await waitForReconnection()
            let password = try await settings.password()
            return try await lane.connect(settings, password: password, connected: noteConnection, body).get()
        } catch {
            throw EventStoreError.translating(error)
        }
    }

    /// Runs a transaction: committed when the body returns, rolled back when it throws.
    ///
    /// - Parameter body: runs up to three times when the transaction loses against others, and so is to have no effect
    ///   but on the database.
    /// - Throws: as `use`. When `postgres.isOutcomeUnknown`, the transaction may have been committed or not.
    @discardableResult
    package func transaction<Value: Sendable>(
        _ body: @escaping @Sendable (PostgresSession) throws -> Value
    ) async throws(EventStoreError) -> Value {
        var round = 1
        while true {
            do throws(EventStoreError) {
                return try await use { session in try session.transaction { try body(session) } }
            } catch {
                guard error.postgres?.isLostRace == true, round < Self.maximumRounds else { throw error }
            }
            // Those who met once would meet again if all came back together.
            try? await Task.sleep(for: .milliseconds(Int(random() % UInt64(10 << round))))
            round += 1
        }
    }

    /// Ends all sessions once their callers are done. Whoever asks for one from now on is refused.
    package func close() async {
        let (idle, waiting) = state.withLock { state in
            state.isClosed = true
            defer { (state.idle, state.waiting) = ([], []) }
            return (state.idle, state.waiting)
        }
        for waiter in waiting { waiter.continuation.resume(returning: .closed) }
        for lane in idle { lane.close { self.remove() } }
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.laneCount > 0 { state.closing.append(continuation) }
                return state.laneCount == 0
            }
            if isDone { continuation.resume() }
        }
    }
}

// MARK: - Lanes

extension PostgresPool {
    /// What a caller who asked for a lane is given.
    private enum Grant: Sendable {
        case lane(Lane)
        /// There is room for one more.
        case room
        case closed
        case tired
        case cancelled
    }

    /// A lane that nobody else uses, once there is one.
    private func acquire() async throws(EventStoreError) -> Lane {
        let number = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        let grant = await withTaskCancellationHandler {
            await withCheckedContinuation { line(up: number, $0) }
        } onCancel: {
            leave(number, .cancelled)
        }
        switch grant {
        case .lane(let lane): return lane
        case .room:
            do { return try Lane() } catch {
                remove()
                throw EventStoreError(postgres: error)
            }
        case .closed:
            throw EventStoreError(.unavailable, message: "the database's pool was closed: the program is ending")
        case .tired:
            throw EventStoreError(
                .unavailable,
                message: "none of \(size) sessions of the database came free in \(patienceMilliseconds) ms: try again")
        case .cancelled:
            throw EventStoreError(.unavailable, message: "the caller gave up before a session of the database was free")
        }
    }

    private func line(up number: Int, _ continuation: CheckedContinuation<Grant, Never>) {
        let grant: Grant? = state.withLock { state in
            if state.isClosed { return .closed }
            if let lane = state.idle.popLast() { return .lane(lane) }
            if state.laneCount < size {
                state.laneCount += 1
                return .room
            }
            // A task that is cancelled later leaves the line by its number.
            if Task.isCancelled { return .cancelled }
            state.waiting.append(Waiter(number: number, continuation: continuation))
            return nil
        }
        if let grant { return continuation.resume(returning: grant) }
        Self.timers.asyncAfter(deadline: .now() + .milliseconds(patienceMilliseconds)) { [weak self] in
            self?.leave(number, .tired)
        }
    }

    private func leave(_ number: Int, _ grant: Grant) {
        let waiter = state.withLock { state in
            state.waiting.firstIndex { $0.number == number }.map { state.waiting.remove(at: $0) }
        }
        waiter?.continuation.resume(returning: grant)
    }

    private func release(_ lane: Lane) {
        let waiter: Waiter? = state.withLock { state in
            if !state.waiting.isEmpty { return state.waiting.removeFirst() }
            if !state.isClosed { state.idle.append(lane) }
            return nil
        }
        if let waiter { return waiter.continuation.resume(returning: .lane(lane)) }
        if state.withLock({ $0.isClosed }) { lane.close { self.remove() } }
    }

    /// Counts a lane less, and tells those who wait for the last.
    private func remove() {
        let closing = state.withLock { state in
            state.laneCount -= 1
            guard state.laneCount == 0 else { return [CheckedContinuation<Void, Never>]() }
            defer { state.closing = [] }
            return state.closing
        }
        for continuation in closing { continuation.resume() }
    }
}

// MARK: - Reconnecting

extension PostgresPool {
    /// Waits until the next try to connect is due.
    private func waitForReconnection() async throws(EventStoreError) {
        let reconnection = state.withLock { $0.reconnection }
        guard let failure = reconnection.failure else { return }
        let left = reconnection.nextTry - ContinuousClock.now
        if left > .milliseconds(patienceMilliseconds) { throw EventStoreError(postgres: failure) }
        // A cancelled task goes on, and is stopped when it connects.
        if left > .zero { try? await Task.sleep(for: left) }
    }

    @Sendable private func noteConnection(_ failure: PostgresError?) {
        let random = random()
        state.withLock { $0.reconnection.note(failure, random: random) }
    }
}

/// When the next try to connect is due, after others have failed.
private struct Reconnection {
    private static let firstMilliseconds: UInt64 = 50
    private static let lastMilliseconds: UInt64 = 2000

    private var failures = 0
    private(set) var failure: PostgresError?
    private(set) var nextTry = ContinuousClock.now

    mutating func note(_ failure: PostgresError?, random: UInt64) {
        guard let failure else {
            self = Reconnection()
            return
        }
        // A caller that gave up tells nothing of the server. Lanes that fail together count once.
        guard failure.sqlState != "57014", self.failure == nil || ContinuousClock.now >= nextTry else { return }
        self.failure = failure
        let ceiling = min(Self.firstMilliseconds << UInt64(min(failures, 10)), Self.lastMilliseconds)
        failures += 1
        // Half of it is left to chance, so that many processes do not come back together.
        nextTry = ContinuousClock.now + .milliseconds(Int(ceiling / 2 + random % (ceiling / 2 + 1)))
    }
}
