import ArgumentParser
import EventStore
import HostSystem
import TransparencyLog

/// `ledger verify-proof`: checks a proof with nothing but the file, and the key of whom to believe.
struct VerifyProof: Verb {
    static let configuration = CommandConfiguration(
        commandName: "verify-proof",
        abstract: "Checks a proof with nothing but the file: no ledger, no network.",
        discussion: """
            The file is what `ledger prove` wrote, or a server answered: of an event, a history, or consistency. --key \
            is the log's key, as `ledger checkpoint key` prints it, known by another way than the proof; --policy \
            names a file of logs and witnesses to believe (C2SP tlog-policy). Exit code 0: it holds; 2: it does not, \
            and standard error says why.

            EXAMPLES
              ledger verify-proof history.json --key "$KEY"
              ledger verify-proof event.proof --entry entry.json --policy policy.txt
            """)

    @Argument(help: "The file with the proof.") var file: String
    @Option(help: "The file with the entry that should be in the log; without it the one that goes with the proof.")
    var entry: String?
    @Option(help: "The log's verifier key.") var key: String?
    @Option(help: "A file that says whom to believe.") var policy: String?
    @Option(help: "How results are printed; otherwise a table on a terminal, ndjson on a pipe.")
    var format: OutputFormat?

    func validate() throws {
        guard [key, policy].count(where: { $0 != nil }) == 1 else {
            throw ValidationError(
                "take one of --key and --policy: a proof says nothing before it is known whose signature to believe")
        }
    }

    func run(in shell: Shell) async throws {
        let trust = try trust()
        let bytes = try read(file, limit: HistoryProof.maximumBytes)
        do {
            try show(try check(bytes, trust), in: shell)
        } catch let error as TransparencyError {
            shell.tell("\(file) does not hold: \(error.message)")
            throw ExitCode(2)
        }
    }

    /// What a proof that holds says.
    private struct Result {
        let trusted: TrustedCheckpoint
        /// The events that are proved.
        var rows: [ProvenEvent] = []
        let message: String
    }

    private func check(_ bytes: [UInt8], _ trust: TrustPolicy) throws -> Result {
        if bytes.first == UInt8(ascii: "{") {
            try refuseEntry("a history has its entries in it")
            let proof = try HistoryProof(bytes)
            let proven = try proof.verify(by: trust)
            let size = proven.trusted.checkpoint.size
            let id = proof.stream.id
            let message =
                proven.entries.isEmpty
                ? "absent: at size \(size) the log has no event of \(id)"
                : "at size \(size) these are all events of \(id)"
            return Result(
                trusted: proven.trusted,
                rows: zip(proven.entries, proof.items).map { ProvenEvent(entry: $0, index: $1.index) }, message: message
            )
        }
        if bytes.starts(with: "appointment-ledger/consistency".utf8) {
            try refuseEntry("a proof of consistency is of no entry")
            let proof = try ConsistencyProof(bytes)
            let trusted = try proof.verify(by: trust)
            return Result(
                trusted: trusted,
                message: "the log of size \(trusted.checkpoint.size) goes on from the size \(proof.oldSize) with the "
                    + "root \(proof.oldRoot): compare that with the checkpoint that you have")
        }
        return try checkEvent(bytes, trust)
    }

    private func checkEvent(_ bytes: [UInt8], _ trust: TrustPolicy) throws -> Result {
        let proof = try LogProof(bytes)
        guard let content = try entry.map({ try read($0, limit: Entry.maximumBytes) }) ?? proof.extra else {
            throw ValidationError("the proof has no entry in it: name the file that has it as --entry")
        }
        let trusted = try proof.verify(Hash.leaf(of: content), by: trust)
        let row = (try? Entry(content)).map { [ProvenEvent(entry: $0, index: proof.index)] } ?? []
        return Result(
            trusted: trusted, rows: row,
            message: "the entry is in the log of size \(trusted.checkpoint.size), at index \(proof.index)")
    }

    private func refuseEntry(_ why: String) throws {
        if entry != nil { throw ValidationError("\(why): leave out --entry") }
    }

    private func show(_ result: Result, in shell: Shell) throws {
        var printer = Printer(
            format ?? (shell.printsOnTerminal ? .table : .ndjson), columns: ProvenEvent.columns, to: shell.write)
        for row in result.rows { try printer.print(row) }
        try printer.finish()
        let (checkpoint, witnesses) = (result.trusted.checkpoint, result.trusted.witnesses)
        shell.tell("it holds: \(result.message)")
        let signers = witnesses.isEmpty ? "" : ", and by \(witnesses.count) witnesses"
        shell.tell("signed by \(checkpoint.origin)\(signers), root \(checkpoint.root)")
    }

    private func trust() throws -> TrustPolicy {
        do throws(TransparencyError) {
            if let key { return TrustPolicy(log: try VerifierKey(key)) }
        } catch {
            throw ValidationError("--key can't be read: \(error.message)")
        }
        let bytes = try read(policy ?? "", limit: TrustPolicy.maximumBytes)
        do throws(TransparencyError) {
            return try TrustPolicy(bytes)
        } catch {
            throw ValidationError("--policy can't be read: \(error.message)")
        }
    }

    private func read(_ path: String, limit: Int) throws -> [UInt8] {
        guard let bytes = try GivenFile.read(path, limit: limit) else {
            throw Refusal("there is no file \(path)")
        }
        return bytes
    }
}

/// An event that was proved to be in a log.
private struct ProvenEvent: FieldRow {
    static let fields: Fields = [
        "index": { $0.index }, "appointmentId": { $0.entry.stream.id.description }, "version": { $0.entry.version },
        "type": { $0.entry.type }, "at": { $0.entry.at }, "country": { $0.entry.country },
        "actor": { $0.entry.actor },
    ]

    let entry: Entry
    let index: Int

    func write(to writer: inout JSONWriter) {
        writer.object {
            write(membersTo: &$0)
            $0.member("data") { $0.raw(entry.data) }
        }
    }
}
