import EventStore
import Foundation
import Handlers
import Synchronization
import TestAWS
import TestPrograms
import Testing

/// Lambda's side of one function: starts the real `bootstrap` program, gives it invocations over the runtime API, one
/// at a time, and starts it anew when it has ended.
final class LambdaHost: Sendable {
    /// What became of an invocation.
    enum Outcome: Sendable {
        case answered(JSONValue)
        case failed(type: String, message: String)
        /// The process ended with this status before it answered, or was killed when the time was up.
        case ended(Int32)
    }

    private let environment: [String: String]
    private let board = Board()
    private let server: WireProxy
    private let running = Mutex<RunningProgram?>(nil)
    private let starting = Mutex<Int>(0)

    /// - Parameter environment: the variables of the function beside those that Lambda sets.
    init(_ handler: String, _ environment: [String: String]) {
        server = WireProxy(to: nil) { [board] request in board.react(to: request) }
        self.environment = environment.merging(
            ["_HANDLER": handler, "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:\(server.port)"]
        ) { $1 }
    }

    deinit {
        board.stop()
        running.withLock { $0?.signal(SIGKILL) }
    }

    /// How often the program was started.
    var starts: Int { starting.withLock { $0 } }
    /// What the program said instead of asking for an invocation.
    var initialError: JSONValue? { board.initialError }
    /// The log of the process that runs, and its metrics.
    var log: String { running.withLock { $0?.errors ?? "" } }
    var output: String { running.withLock { $0?.output ?? "" } }

    /// The process; one is started when none runs.
    @discardableResult
    func program() throws -> RunningProgram {
        try running.withLock { running in
            if let running, running.isRunning { return running }
            board.dismiss()
            let program = try RunningProgram(
                path: RunningProgram.url(of: "bootstrap").path, [], environment: environment)
            running = program
            starting.withLock { $0 += 1 }
            return program
        }
    }

    /// Invokes the function and waits for what becomes of it. A process that is not done by its time is killed.
    ///
    /// - Parameter whileRunning: called once the program has the event in hand.
    func invoke(
        _ event: String, milliseconds: Int64 = 30_000,
        whileRunning: (RunningProgram) async throws -> Void = { _ in }
    ) async throws -> Outcome {
        let program = try program()
        let deadline = Int64(Date().timeIntervalSince1970 * 1000) + milliseconds
        let id = board.add(Array(event.utf8), deadline: deadline)
        while !board.isTaken(id), program.isRunning { try await Task.sleep(for: .milliseconds(1)) }
        try await whileRunning(program)
        while true {
            // Asked for before the outcome: a program may answer and end in between.
            let isRunning = program.isRunning
            if let outcome = board.outcome(of: id) { return outcome }
            if !isRunning {
                board.withdraw(id)
                return .ended(try await program.waitForExit())
            }
            if Int64(Date().timeIntervalSince1970 * 1000) > deadline { program.signal(SIGKILL) }
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    /// Waits until the program asks for its next invocation.
    func waitUntilIdle(seconds: Double = 120) async throws {
        let end = ContinuousClock.now + .seconds(seconds)
        let program = try program()
        while !board.isIdle {
            try #require(program.isRunning && ContinuousClock.now < end, "it never asked: \(program.errors)")
            try await Task.sleep(for: .milliseconds(1))
        }
    }
}

/// What host and program tell each other.
private final class Board: Sendable {
    private struct Job {
        let id: String
        let event: [UInt8]
        let deadline: Int64
    }

    private struct State {
        var waiting: [Job] = []
        var taken: Set<String> = []
        var outcomes: [String: LambdaHost.Outcome] = [:]
        var last = 0
        var asking = 0
        /// Which of the processes asks; what an earlier one has asked is answered no more.
        var process = 0
        var isStopped = false
        var initialError: JSONValue?
    }

    private let state = Mutex(State())

    var initialError: JSONValue? { state.withLock { $0.initialError } }
    var isIdle: Bool { state.withLock { $0.asking > 0 && $0.waiting.isEmpty } }

    func stop() { state.withLock { $0.isStopped = true } }

    /// Forgets the process before.
    func dismiss() { state.withLock { $0.process += 1 } }

    func add(_ event: [UInt8], deadline: Int64) -> String {
        state.withLock { state in
            state.last += 1
            let id = "00000000-0000-4000-8000-\(String(state.last + 100_000_000_000))"
            state.waiting.append(Job(id: id, event: event, deadline: deadline))
            return id
        }
    }

    func isTaken(_ id: String) -> Bool { state.withLock { $0.taken.contains(id) } }

    func outcome(of id: String) -> LambdaHost.Outcome? { state.withLock { $0.outcomes[id] } }

    func withdraw(_ id: String) { state.withLock { $0.waiting.removeAll { $0.id == id } } }

    func react(to request: WireProxy.Request) -> WireProxy.Reaction {
        let parts = request.path.split(separator: "/").map(String.init)
        guard parts.prefix(2) == ["2018-06-01", "runtime"] else { return .answer(404, headers: [:], body: "") }
        let body = (try? JSONValue(request.body)) ?? .null
        switch (request.method, Array(parts.dropFirst(2))) {
        case ("GET", ["invocation", "next"]): return next()
        case ("POST", ["init", "error"]):
            state.withLock { $0.initialError = body }
            return .answer(202, headers: [:], body: "")
        case ("POST", let path) where path.count == 3 && path[2] == "response":
            return end(path[1], .answered(body))
        case ("POST", let path) where path.count == 3 && path[2] == "error":
            return end(
                path[1],
                .failed(type: body["errorType"]?.text ?? "none", message: body["errorMessage"]?.text ?? "none"))
        default: return .answer(404, headers: [:], body: "")
        }
    }

    private func end(_ id: String, _ outcome: LambdaHost.Outcome) -> WireProxy.Reaction {
        state.withLock { state in
            // An invocation is answered once.
            guard state.taken.contains(id), state.outcomes[id] == nil else {
                return .answer(400, headers: [:], body: "")
            }
            state.outcomes[id] = outcome
            return .answer(202, headers: [:], body: "")
        }
    }

    /// Waits for an invocation, as Lambda has a function wait.
    private func next() -> WireProxy.Reaction {
        let process = state.withLock { state in
            state.asking += 1
            return state.process
        }
        defer { state.withLock { $0.asking -= 1 } }
        while true {
            let job: Job? = state.withLock { state in
                guard !state.waiting.isEmpty, state.process == process else { return nil }
                let job = state.waiting.removeFirst()
                state.taken.insert(job.id)
                return job
            }
            if let job {
                return .answer(
                    200,
                    headers: [
                        "Lambda-Runtime-Aws-Request-Id": job.id, "Lambda-Runtime-Deadline-Ms": String(job.deadline),
                        "Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
                        "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:test",
                        "Content-Type": "application/json",
                    ], body: String(decoding: job.event, as: UTF8.self))
            }
            if state.withLock({ $0.isStopped || $0.process != process }) { return .cut }
            usleep(1000)
        }
    }
}
