import ArgumentParser
import EventStore
import Glibc
import Handlers
import HostSystem
import Projections

/// `ledger dlq redrive`.
struct RedriveDeadLetters: Verb {
    static let configuration = CommandConfiguration(
        commandName: "redrive",
        abstract: "Puts dead letters back into their queues, and folds or routes parked appointments again.",
        discussion: """
            A letter goes back as if it had never been received. Safe to run twice at once: each is moved by \
            one of them, and a parked event that was taken in meanwhile is passed over.

            EXAMPLES
              ledger dlq redrive 17 18
              ledger dlq redrive --queue appointments-pe --limit 50 --rate 10
              ledger dlq redrive --parked --limit 10 --rate 1
              ledger dlq redrive --all
            """)

    @Argument(help: "The ids, as `list` shows them.") var ids: [String] = []
    @Option(help: "All letters of this queue.", transform: Reading.queue) var queue: QueueName?
    @Flag(help: "All letters.") var all = false
    @Flag(help: "All parked appointments.") var parked = false
    @Option(help: "At most so many; without it as many as there are.") var limit: Int?
    @Option(help: "At most so many a second.") var rate = 1000
    @OptionGroup var options: SharedOptions

    func validate() throws {
        guard [!ids.isEmpty, all, parked, queue != nil].count(where: { $0 }) == 1 else {
            throw ValidationError("name letters, or a --queue, or --parked, or --all")
        }
        if let limit { try requireLetterLimit(limit) }
        guard (1...100_000).contains(rate) else { throw ValidationError("--rate is 1 to 100000") }
    }

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        if parked { return try await redrive(try await ledger.parked(), ledger, shell) }
        let places = ids.compactMap(ParkedPlace.init)
        if !places.isEmpty {
            guard places.count == ids.count else { throw Refusal("name letters or parked events, not both") }
            var found: [(ConsumerName, ParkedEvent)] = []
            for place in places { found += try await ledger.parked(at: place) }
            return try await redrive(found, ledger, shell)
        }
        let redrive = RedriveRun(ledger.deadLetters, pace: Pace(rate), limit: limit)
        guard ids.isEmpty else {
            let count = try await redrive.letters(ids)
            shell.tell("\(count) of \(ids.count) letters are in their queues again; `ledger stats` shows them")
            if count < min(ids.count, limit ?? .max) { throw ExitCode(3) }
            return
        }
        let count = try await redrive.letters(of: queue, deadBy: System.now())
        shell.tell("\(count) letters are in their queues again; `ledger stats` shows them move")
    }

    private func redrive(
        _ parked: [(ConsumerName, ParkedEvent)], _ ledger: Ledger, _ shell: Shell
    ) async throws {
        let logger = options.logger(in: shell)
        var left = 0
        let redrive = RedriveRun(ledger.deadLetters, pace: Pace(rate), limit: limit)
        let tried = try await redrive.each(parked) { name, event in
            guard let still = try await ledger.retry(event.appointment, of: name, logger) else { return }
            left += 1
            shell.tell("\(name) still parks \(still.appointment)@\(still.version): \(still.reason)")
        }
        shell.tell("\(tried - left) of \(parked.count) go on; `ledger dlq list` shows the others")
        if left > 0 { throw ExitCode(3) }
    }
}
