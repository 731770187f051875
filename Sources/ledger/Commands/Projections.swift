import API
import ArgumentParser
import EventStore
import Handlers
import HostSystem
import Projections

/// `ledger projections`: the consumers of the feed.
struct ProjectionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "projections",
        abstract: "Shows who follows the events, how far each has come, and holds, resumes, rebuilds or removes it.",
        discussion: """
            EXAMPLES
              ledger projections list
              ledger projections pause router
              ledger projections resume router
            """,
        subcommands: [List.self, Pause.self, Resume.self, RebuildView.self, Remove.self])

    /// Those that this program works on, by the name that a user types.
    static let known = [ProjectionRunner.projection, RouterPump.projection]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the consumers of the feed and the table sets beside the live one.",
            discussion: """
                A consumer is live, catching up, rebuilding, paused or stalled (it lags and does not move). What is \
                detached is left over: no program works on it, and `remove` takes it away.

                EXAMPLES
                  ledger projections list
                  ledger projections list --format json
                """)

        @OptionGroup var options: SharedOptions

        func run() async throws {
            let ledger = try await options.open()
            let readiness = try await ledger.status.readiness()
            var printer = options.printer([
                "name", "state", "checkpoint", "lag", "lagSeconds", "parked", "movedAt", "lastError",
            ])
            for status in readiness.projections { try printer.row { $0.projection(status) } }
            for name in try await ledger.views.names() where !known.contains(name) {
                try printer.row {
                    $0.leftOver(name.description, .detached, at: nil, of: readiness.head, moved: nil)
                }
            }
            for set in try await ledger.viewSets.sets() {
                let isWorkedOn = [ViewCopy.next, ViewCopy.dryRun].contains(set.name) && set.isMoving(at: System.now())
                let state: ConsumerStatus.State = isWorkedOn ? .rebuilding : .detached
                try printer.row {
                    $0.leftOver(
                        "\(set.projection)/\(set.name)", state, at: set.position ?? set.events, of: readiness.head,
                        moved: set.moved ?? set.at)
                }
            }
            try printer.finish()
        }
    }

    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Holds a consumer, in a running server too, until it is resumed.",
            discussion: """
                While appointments is held the lists stand still and GET shows the past; while router is held, new \
                requests are taken in and wait.

                EXAMPLE
                  ledger projections pause router
                """)

        @Argument(help: "appointments or router.", transform: ProjectionsCommand.name) var name: ConsumerName
        @OptionGroup var options: SharedOptions

        func run() async throws {
            try await options.open().views.pause(name, at: System.now())
            report("ledger: \(name) is held; `ledger projections list` shows it")
        }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets a consumer go on from where it was held.",
            discussion: """
                EXAMPLE
                  ledger projections resume router
                """)

        @Argument(help: "appointments or router.", transform: ProjectionsCommand.name) var name: ConsumerName
        @OptionGroup var options: SharedOptions

        func run() async throws {
            let ledger = try await options.open()
            guard try await ledger.views.resume(name) else {
                throw Refusal("\(name) is not held: `ledger projections list` shows who is")
            }
            // The appends write the view along again once it is up to the head; nobody else brings it there.
            let count = try await ledger.catchUp(name)
            let what = options.engine == .aws ? "appointments" : "events"
            let taken = count > 0 ? " and has taken in \(count) \(what)" : ""
            report("ledger: \(name) goes on\(taken); `ledger projections list` shows it")
        }
    }

    struct RebuildView: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rebuild",
            abstract: "Makes a view anew: the same as `ledger rebuild`.",
            discussion: """
                EXAMPLE
                  ledger projections rebuild appointments --dry-run
                """)

        @OptionGroup var rebuild: RebuildCommand

        func run() async throws { try await rebuild.run() }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes away what a detached consumer has left, or a table set beside the live one.",
            discussion: """
                EXAMPLES
                  ledger projections remove appointments@1/kept --yes
                  ledger projections remove replay-nightly@2810645011
                """)

        @Argument(help: "The name as `list` shows it.") var name: String
        @OptionGroup var consent: ConsentOptions
        @OptionGroup var options: SharedOptions

        func run() async throws {
            let ledger = try await options.open()
            if let set = try await ledger.viewSets.sets().first(where: { "\($0.projection)/\($0.name)" == name }) {
                try consent.ask("the table set \(name) will be dropped")
                _ = try await ledger.viewSets.drop(set.name)
            } else if let projection = ConsumerName(name), !known.contains(projection),
                try await ledger.views.names().contains(projection)
            {
                try consent.ask("the checkpoint and the parked events of \(name) will be forgotten")
                try await ledger.views.forget(projection)
            } else {
                throw Refusal("nothing detached is called '\(name)': `ledger projections list` shows what is")
            }
            report("ledger: \(name) is gone; `ledger projections list` shows what is left")
        }
    }

    @Sendable private static func name(_ text: String) throws -> ConsumerName {
        guard let name = known.first(where: { $0.name == text || $0.description == text }) else {
            throw ValidationError("'\(text)' is no projection: take \(known.map(\.name).joined(separator: " or "))")
        }
        return name
    }
}

extension JSONWriter {
    fileprivate mutating func projection(_ status: ConsumerStatus) {
        object {
            $0.member("name", status.name.description)
            $0.member("state", status.state.rawValue)
            $0.member("checkpoint", status.checkpoint)
            $0.member("lag", status.lag)
            $0.member("lagSeconds", status.lagSeconds)
            $0.member("parked", status.parked)
            $0.member("movedAt", status.movedAt)
            $0.member("lastError", status.lastError)
        }
    }

    fileprivate mutating func leftOver(
        _ name: String, _ state: ConsumerStatus.State, at position: Int?, of head: Int, moved: Timestamp?
    ) {
        object {
            $0.member("name", name)
            $0.member("state", state.rawValue)
            $0.member("checkpoint", position)
            // One that is further than the log has no lag: it is of a past that was put back.
            $0.member("lag", position.flatMap { $0 <= head ? head - $0 : nil })
            $0.member("lagSeconds", Int?.none)
            $0.member("parked", 0)
            $0.member("movedAt", moved)
            $0.member("lastError", String?.none)
        }
    }
}
