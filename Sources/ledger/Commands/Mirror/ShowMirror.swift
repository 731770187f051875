import ArgumentParser
import EventStore
import HostSystem
import Projections

/// `ledger mirror status`.
struct ShowMirror: Verb {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Shows how far the mirror has come; exits with 3 when it is behind, ahead or keeps conflicts.",
        discussion: """
            `state` says how it stands to the ledger: following, unclaimed (it belongs to none yet), ahead (it \
            has what the ledger does not: the ledger was put back), other-epoch, other-ledger, or misplaced (its \
            checkpoint was moved ahead). `lag` is empty unless it follows.

            EXAMPLE
              ledger mirror status --format json
            """)

    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        let mirror = try ledger.requireMirror()
        let status = try await MirrorStatus.read(
            mirror.probe, through: mirror.gate(mirror.probe, ledger.store),
            following: try await ledger.order(of: mirror), now: System.now())
        if let damage = status.damage { throw Refusal("the mirror \(mirror.summary) is damaged: \(damage)") }
        guard let progress = status.progress else {
            throw Refusal("the mirror \(mirror.summary) does not answer: is its server up, and `migrate up` done?")
        }
        if case .otherLedger = progress.standing, let problem = progress.problem { throw Refusal(problem) }
        try options.print([status], in: shell)
        if let problem = progress.problem { shell.tell(problem) }
        if !status.isUpToDate { throw ExitCode(3) }
    }
}

extension MirrorStatus: Row {
    static let columns = ["answers", "position", "checkpoint", "lag", "lagSeconds", "conflicts", "state", "ahead"]

    func write(to writer: inout JSONWriter) { writer.object { $0.members(of: self) } }
}
