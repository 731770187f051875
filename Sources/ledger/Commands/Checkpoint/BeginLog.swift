import ArgumentParser
import EventStore
import HostSystem
import LogService
import SQLiteEngine
import TransparencyLog

/// `ledger checkpoint begin`.
struct BeginLog: Verb {
    static let configuration = CommandConfiguration(
        commandName: "begin",
        abstract: "Begins a new log over the ledger as it is, with a new key and another origin.",
        discussion: """
            For an operator who has decided that the ledger as it is now is the right one, though it does not go \
            on from its last checkpoint, or whose key is lost or was seen by others. The old checkpoint and the \
            old key are kept next to the new ones, and printed: tell your auditors both, they will see a new log. \
            The server must be stopped. It asks on a terminal, and needs --yes elsewhere.

            EXAMPLE
              ledger checkpoint begin --origin clinic.example/appointments-2
            """)

    @Option(help: "What the new log is called: not as any log was called that you have signed before.")
    var origin: String
    @OptionGroup var consent: ConsentOptions
    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let (ledger, log) = try await options.openLog(in: shell)
        let lock = try ServerLock(options.data)
        defer { withExtendedLifetime(lock) {} }
        let size = try await ledger.store.head()
        guard size > 0 else { throw Refusal("the ledger has no event yet: there is nothing to sign") }
        let old = try await log.checkpoints.last()
        let oldOrigin = old.flatMap { try? SignedNote($0) }.flatMap { try? Checkpoint(text: $0.text) }?.origin
        if let oldOrigin, oldOrigin.utf8.elementsEqual(origin.utf8) {
            throw Refusal("the log is called \(origin) already: a new one needs another --origin")
        }
        try consent.ask(
            "the log \(oldOrigin ?? "that was begun") ends here, and \(origin) begins with \(size) events", in: shell)
        var files: [LogFile] = []
        if let old {
            let name = Hash(of: old).bytes.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            let kept = try await log.checkpoints.keep(old, as: String(name, radix: 16))
            files.append(LogFile(path: kept, what: "the last checkpoint of \(oldOrigin ?? "an unreadable log")"))
        }
        let (key, kept) = try key(log)
        if let kept { files.append(LogFile(path: kept, what: "the key before")) }
        _ = try await log.signed(by: key).checkpointer.begin(instead: old)
        files.append(LogFile(path: log.checkpoints.path, what: "the first checkpoint of \(origin)"))
        try options.print(files, in: shell)
        shell.tell("the log \(origin) begins at size \(size), with the key \(key.verifier)")
    }

    /// The new key, which takes the place of the old one; the one that a run before this one has made, where it was
    /// stopped before it signed.
    private func key(_ log: EmbeddedLog) throws(EventStoreError) -> (key: SigningKey, kept: String?) {
        let there = try? log.keyFile.read()
        if let there, there.verifier.name.utf8.elementsEqual(origin.utf8) { return (there, nil) }
        return try log.keyFile.replace(origin: origin)
    }
}

/// A file of the log, and what it is.
private struct LogFile: FieldRow {
    static let fields: Fields = ["file": { $0.path }, "what": { $0.what }]

    let path: String
    let what: String
}
