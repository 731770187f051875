import ArgumentParser
import EventStore
import HostSystem
import LogService
import TransparencyLog

/// `ledger checkpoint publish`.
struct PublishLog: Verb {
    static let configuration = CommandConfiguration(
        commandName: "publish",
        abstract: "Writes the log as static files, so that any web server is a log server.",
        discussion: """
            The key, tiles and entries that are new since the last time, and the checkpoint last, in the layout of \
            C2SP tlog-tiles. Stopped at any moment, it goes on the next time. To publish to a bucket, copy the \
            directory there, the file `checkpoint` last: `aws s3 sync DIR s3://BUCKET/PREFIX --exclude \
            checkpoint`, then `aws s3 cp DIR/checkpoint s3://BUCKET/PREFIX/`. Entries hold no personal data.

            EXAMPLE
              ledger checkpoint publish --to /var/www/log
            """)

    @Option(help: "The directory; it is made where there is none.") var to: String
    @OptionGroup var options: SharedOptions

    func validate() throws {
        if to.isEmpty || to.contains("://") {
            throw ValidationError("--to is a directory: publish there, and copy it to '\(to)' from there")
        }
    }

    func run(in shell: Shell) async throws {
        let (_, log, _) = try await options.openSigned(in: shell)
        let progress = shell.progress()
        let outcome = try await LogPublisher(
            log.served, to: .files(in: FileTree(to)), progress: { progress.show($0, of: $1, "entries") }
        ).run()
        progress.clear()
        let before = outcome.before.map { " from size \($0)" } ?? ""
        shell.tell("published \(log.signer.key.name)\(before) to size \(outcome.size), \(outcome.files) files")
    }
}

extension LogPublisher.Destination {
    /// Files below a directory.
    static func files(in tree: FileTree) -> LogPublisher.Destination {
        LogPublisher.Destination(
            read: { path throws(EventStoreError) in try tree.read(path) },
            write: { path, bytes throws(EventStoreError) in try tree.write(bytes, to: path) },
            settle: { tree.settle() })
    }
}
