import API
import ArgumentParser
import EventStore
import HostSystem
import Projections

/// `ledger projections list`.
struct ListProjections: Verb {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the consumers of the feed and the table sets beside the live one.",
        discussion: """
            A consumer is live, catching up, rebuilding, paused or stalled (it lags and does not move). What is \
            detached is left over: no program works on it, and `remove` takes it away.

            EXAMPLES
              ledger projections list
              ledger projections list --format json
            """)

    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        let readiness = try await ledger.status().readiness()
        var printer = options.printer(ConsumerStatus.columns, in: shell)
        for status in readiness.projections { try printer.print(status) }
        for name in try await ledger.views.names() where !Ledger.consumers.contains(name) {
            try printer.print(
                LeftOver(name: name.description, state: .detached, position: nil, head: readiness.head, movedAt: nil))
        }
        for set in try await ledger.viewSets.sets() {
            let isWorkedOn = [ViewCopy.next, ViewCopy.dryRun].contains(set.name) && set.isMoving(at: System.now())
            try printer.print(
                LeftOver(
                    name: "\(set.projection)/\(set.name)", state: isWorkedOn ? .rebuilding : .detached,
                    position: set.position ?? set.events, head: readiness.head, movedAt: set.moved ?? set.at))
        }
        try printer.finish()
    }
}

extension ConsumerStatus: FieldRow {
    static let fields: Fields = [
        "name": { $0.name.description }, "state": { $0.state.rawValue }, "checkpoint": { $0.checkpoint },
        "lag": { $0.lag }, "lagSeconds": { $0.lagSeconds }, "parked": { $0.parked }, "movedAt": { $0.movedAt },
        "lastError": { $0.lastError },
    ]
}

/// What a consumer has left that no program works on, or a table set next to the live one.
private struct LeftOver: FieldRow {
    static let fields: Fields = [
        "name": { $0.name }, "state": { $0.state.rawValue }, "checkpoint": { $0.position }, "lag": { $0.lag },
        "lagSeconds": { _ in nil }, "parked": { _ in 0 }, "movedAt": { $0.movedAt }, "lastError": { _ in nil },
    ]

    let name: String
    let state: ConsumerStatus.State
    let position: Int?
    let head: Int
    let movedAt: Timestamp?

    /// One that is further than the log has no lag: it is of a past that was put back.
    private var lag: Int? { position.flatMap { $0 <= head ? head - $0 : nil } }
}
