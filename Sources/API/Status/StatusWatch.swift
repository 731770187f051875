import Appointments
import EventStore
package import Handlers
import LogService
import Projections
import Synchronization

/// Keeps the last answers of everything that the ledger stands on, so that whoever asks how it does waits for nobody,
/// and is told how old each answer is.
///
/// While it runs, each party is asked in the background and by itself: one that is frozen delays nobody else's answer.
/// Where nothing runs in the background, as on Lambda, it asks when it is asked, and remembers that for a while.
package final class StatusWatch: Sendable {
    /// When what has to be counted is counted.
    package enum Counting: Sendable {
        /// All the time, and for a twentieth of it at most.
        case always
        /// While `/metrics` is read, once a minute at most: where counting costs money.
        case whenRead
    }

    struct State {
        var head = Reading<Int>()
        var projections = Reading<[ConsumerStatus]>()
        var queues = Reading<[QueueStatus]>()
        var writes = Reading<String?>()
        var countries: [Country: Reading<Bool>] = [:]
        var mirror = Reading<MirrorStatus>()
        var log = Reading<LogStanding?>()
        var figures = Reading<Figures>()
        var figuresReadAt: ContinuousClock.Instant?

        subscript(country: Country) -> Reading<Bool> {
            get { countries[country] ?? Reading() }
            set { countries[country] = newValue }
        }
    }

    private let status: LedgerStatus
    private let counting: Counting
    private let memory: Duration?
    private let state = Mutex(State())

    /// How long the store may be silent before the ledger is not ready.
    static let patience = Duration.seconds(10)
    private static let pace = Duration.seconds(1)

    /// - Parameter memory: how long an answer serves where nothing runs in the background; nil where it is run, and so
    ///   never asks while somebody waits for it, not even before it has begun.
    package init(_ status: LedgerStatus, counting: Counting = .always, memory: Duration? = .zero) {
        (self.status, self.counting, self.memory) = (status, counting, memory)
    }

    /// Asks everybody about once a second until it is told to stop. It does not wait for those who don't answer.
    package func run(until stop: Stop) async {
        var tasks = [
            follow(\.head) { [status] () throws(EventStoreError) in try await status.head() },
            follow(\.projections) { [status] () throws(EventStoreError) in try await status.projectionStatus().1 },
            follow(\.queues) { [status] () throws(EventStoreError) in try await status.queueStatus() },
            follow(\.writes) { [status] () throws(EventStoreError) in await status.writeProblem() },
            count(),
        ]
        for country in status.countryNames {
            tasks.append(
                follow(\.[country]) { [status] () throws(EventStoreError) in
                    try await status.ask(country)
                })
        }
        if status.hasMirror {
            tasks.append(follow(\.mirror) { [status] () throws(EventStoreError) in try await status.mirrorStatus() })
        }
        if status.isSigned {
            tasks.append(follow(\.log) { [status] () throws(EventStoreError) in try await status.logStanding() })
        }
        while !stop.isRequested { await stop.sleep(milliseconds: 60_000) }
        for task in tasks { task.cancel() }
    }

    private func follow<Value>(
        _ part: any WritableKeyPath<State, Reading<Value>> & Sendable,
        _ ask: @escaping @Sendable () async throws(EventStoreError) -> Value
    ) -> Task<Void, Never> {
        Task.detached { [self] in
            while !Task.isCancelled {
                await self.ask(part, ask)
                try? await Task.sleep(for: Self.pace)
            }
        }
    }

    private func count() -> Task<Void, Never> {
        Task.detached { [self] in
            while !Task.isCancelled {
                let began = ContinuousClock.now
                if wantsFigures(began) {
                    await ask(\.figures) { [status] () throws(EventStoreError) in try await status.figures() }
                }
                let cost = ContinuousClock.now - began
                try? await Task.sleep(for: max(Self.pace, cost * 20))
            }
        }
    }

    private func wantsFigures(_ now: ContinuousClock.Instant) -> Bool {
        if case .always = counting { return true }
        return state.withLock { state in
            guard let read = state.figuresReadAt, now - read < .seconds(300) else { return false }
            return state.figures.answeredAt.map { now - $0 >= .seconds(60) } ?? true
        }
    }

    private func ask<Value>(
        _ part: any WritableKeyPath<State, Reading<Value>> & Sendable,
        _ ask: @Sendable () async throws(EventStoreError) -> Value
    ) async {
        state.withLock { $0[keyPath: part].askedAt = ContinuousClock.now }
        do throws(EventStoreError) {
            let value = try await ask()
            state.withLock { $0[keyPath: part].answered(value) }
        } catch {
            state.withLock { $0[keyPath: part].failed(error) }
        }
    }

    /// Asks everybody now, where nothing runs in the background and the memory is over.
    private func refresh(withFigures: Bool) async {
        guard let memory else { return }
        let now = ContinuousClock.now
        let asks = state.withLock { state in
            let last = withFigures ? state.figures.askedAt : state.head.askedAt
            return last.map { now - $0 >= memory } ?? true
        }
        guard asks else { return }
        await withTaskGroup(of: Void.self) { [self] group in
            for country in status.countryNames {
                group.addTask { [self] in
                    await ask(\.[country]) { [status] () throws(EventStoreError) in
                        try await status.ask(country)
                    }
                }
            }
            if status.hasMirror {
                group.addTask { [self] in
                    await ask(\.mirror) { [status] () throws(EventStoreError) in try await status.mirrorStatus() }
                }
            }
            if status.isSigned {
                await ask(\.log) { [status] () throws(EventStoreError) in try await status.logStanding() }
            }
            await ask(\.projections) { [status] () throws(EventStoreError) in try await status.projectionStatus().1 }
            await ask(\.head) { [status] () throws(EventStoreError) in try await status.head() }
            await ask(\.queues) { [status] () throws(EventStoreError) in try await status.queueStatus() }
            await ask(\.writes) { [status] () throws(EventStoreError) in await status.writeProblem() }
            if withFigures {
                await ask(\.figures) { [status] () throws(EventStoreError) in try await status.figures() }
            }
        }
    }

    /// What is known, with its ages.
    func snapshot(withFigures: Bool = false) async -> StatusSnapshot {
        await refresh(withFigures: withFigures)
        return state.withLock { state in
            if withFigures { state.figuresReadAt = ContinuousClock.now }
            return StatusSnapshot(state, mirrored: status.hasMirror, countries: status.countryNames)
        }
    }
}

/// The last answer of somebody who was asked.
struct Reading<Value: Sendable>: Sendable {
    private(set) var value: Value?
    private(set) var answeredAt: ContinuousClock.Instant?
    /// Since when it has not answered; nil while it does.
    private(set) var failedSince: ContinuousClock.Instant?
    private(set) var failure: String?
    /// When it was asked last, and whether that was answered.
    var askedAt: ContinuousClock.Instant? { didSet { isOut = true } }
    private(set) var isOut = false

    mutating func answered(_ value: Value) {
        (self.value, answeredAt, failedSince, failure, isOut) = (value, ContinuousClock.now, nil, nil, false)
    }

    mutating func failed(_ error: EventStoreError) {
        if failedSince == nil { failedSince = ContinuousClock.now }
        (failure, isOut) = (error.message, false)
    }

    /// How old the answer is; nil when there was none.
    var age: Duration? { answeredAt.map { ContinuousClock.now - $0 } }

    /// How long it has been silent: since it failed, or was asked and has said nothing.
    var silence: Duration? {
        if let failedSince { return ContinuousClock.now - failedSince }
        guard isOut, let askedAt else { return nil }
        return ContinuousClock.now - askedAt
    }
}
