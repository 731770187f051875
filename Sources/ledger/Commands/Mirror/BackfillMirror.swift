import ArgumentParser
import EventStore
import Handlers
import HostSystem
import PostgresEngine
import Projections

/// `ledger mirror backfill`.
struct BackfillMirror: Verb {
    static let configuration = CommandConfiguration(
        commandName: "backfill",
        abstract: "Takes in all that the ledger holds and the mirror does not, from the first event on.",
        discussion: """
            What the mirror has already is compared with the ledger and passed over. An empty mirror is filled \
            without the indexes of readers, which are built at the end.

            EXAMPLE
              ledger mirror backfill
            """)

    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        let mirror = try ledger.requireMirror()
        try await mirror.checkSchema()
        let feed = try await ledger.order(of: mirror)
        let head = try await feed.head()
        let progress = shell.progress()
        let before = try await mirror.worker.state()
        try await mirror.worker.fill { () async throws(EventStoreError) in
            try await ledger.runner(into: mirror, following: feed)
                .backfill(now: System.now(), limit: MirrorPump.batch) { progress.show($0, of: head) }
        }
        progress.clear()
        let after = try await mirror.worker.state()
        shell.tell(
            """
            \(after.position - before.position) events of \(head) were taken in; \
            `ledger mirror status` shows the mirror, `ledger verify --mirror` compares it
            """)
    }
}
