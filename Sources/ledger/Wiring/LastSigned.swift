import EventStore
import HostSystem
import LogService
import Replay
import TransparencyLog

/// The last checkpoint next to an embedded ledger, as it was before `verify` read the first entry.
struct LastSigned: SignedStates {
    private let checkpoint: Checkpoint?
    private let problem: String?

    /// Reads it; nil where no log was begun.
    ///
    /// - Throws: `unavailable`.
    init?(_ log: EmbeddedLog) async throws(EventStoreError) {
        do throws(EventStoreError) {
            guard let signed = try await log.begun(), let last = try await signed.served.last() else { return nil }
            (checkpoint, problem) = (last.checkpoint, nil)
        } catch {
            try error.throwIfUnavailable()
            (checkpoint, problem) = (nil, error.message)
        }
    }

    func sizes() async throws(EventStoreError) -> [Int] { checkpoint.map { [$0.size] } ?? [] }

    func findings(roots: [Int: Hash], size: Int) async throws(EventStoreError) -> [Finding] {
        if let problem {
            let message = "the last checkpoint can't be believed: \(problem)"
            return [Finding(.checkpointUnreadable, message: message)]
        }
        guard let checkpoint else { return [] }
        if size < checkpoint.size {
            let message = """
                the log has \(size) events, and had \(checkpoint.size) when its last checkpoint was signed: its end \
                was cut off, or it was put back to an older copy
                """
            return [Finding(.logCutOff, position: size, message: message)]
        }
        // Where the entries up to there can't be read, that is a finding of its own.
        guard let root = roots[checkpoint.size], root != checkpoint.root else { return [] }
        let message = """
            the first \(checkpoint.size) events are not those that the last checkpoint was signed over: some were \
            changed, or it was put back to an older copy and has gone another way
            """
        return [Finding(.logForked, position: checkpoint.size, message: message)]
    }
}
