import Foundation
import TestPrograms
import Testing

/// Whose the files of a ledger are, and what can be done with one that can only be read.
@Suite struct FileTests {
    private let commands: CommandTests
    private var data: String { commands.scratch.data }

    init() throws { commands = try CommandTests() }

    private func shell(_ script: String) async throws {
        let run = try RunningLedger(["-c", script], program: "/bin/bash")
        let status = try await run.waitForExit()
        try #require(status == 0, "\(script): \(run.errors)")
    }

    /// The command that an error names in backquotes.
    private func remedy(_ errors: String) throws -> String {
        let parts = errors.split(separator: "`")
        return String(try #require(parts.count > 1 ? parts[1] : nil, "\(errors)"))
    }

    @Test(
        "a file or directory that others may use is refused, and the command that is named mends it",
        arguments: [
            ("chmod 644 ledger.sqlite", "others may read or write"),
            ("chmod 640 ledger.key", "others may read or write"),
            ("chmod 602 ledger.key", "others may read or write"), ("chmod 777 .", "others may write in the directory"),
            ("chmod 770 .", "others may write in the directory"), ("chmod 1777 .", "others may write in the directory"),
            ("touch serve.lock ledger.sqlite-wal; chmod 604 serve.lock ledger.sqlite-wal", "others may read or write"),
            ("ln ledger.sqlite ../other", "hard link"),
        ])
    func open(change: String, words: String) async throws {
        _ = try await commands.begin()
        try await shell("cd '\(data)'; \(change)")
        for arguments in [["stats"], ["serve", "--port", "0"], ["keys", "list"]] {
            let refused = try RunningLedger(arguments + ["--data", data])
            #expect(try await refused.waitForExit() == 1)
            #expect(refused.errors.contains(words), "\(refused.errors)")
            #expect(refused.errors.split(separator: "\n").count == 1)
        }
        try await shell(try remedy(try await commands.run("stats").errors))
        #expect(try await commands.run("verify").status == 0)
    }

    @Test("a directory whose name a shell would take apart is mended by the command as well")
    func quoted() async throws {
        let directory = commands.scratch.path + "/a b's ledger"
        let made = try await LedgerBinary.run("keys", "create", "--name", "a", "--role", "admin", "--data", directory)
        #expect(made.status == 0)
        let path = directory + "/ledger.sqlite"
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
        let refused = try await LedgerBinary.run("stats", "--data", directory)
        #expect(refused.status == 1)
        try await shell(try remedy(refused.errors))
        #expect(try await LedgerBinary.run("stats", "--data", directory).status == 0)
    }

    @Test(
        "a link in the place of a file is not followed, and the file at its other end stays as it is",
        arguments: ["ledger.sqlite", "ledger.key", "serve.lock", "ledger.sqlite-wal"])
    func links(name: String) async throws {
        let target = commands.scratch.path + "/target"
        try await shell("mkdir -m 700 '\(data)'; ln -s '\(target)' '\(data)/\(name)'")
        for isThere in [false, true] {
            if isThere { try await shell("umask 077; head -c 32 /dev/zero > '\(target)'") }
            let refused = try RunningLedger(["serve", "--port", "0", "--data", data])
            #expect(try await refused.waitForExit() == 1)
            #expect(refused.errors.contains("\(data)/\(name) is a link"), "\(refused.errors)")
            let content = FileManager.default.contents(atPath: target)
            #expect(content == (isThere ? Data(repeating: 0, count: 32) : nil))
        }
    }

    @Test("a link to the directory may be named as --data")
    func linkedDirectory() async throws {
        _ = try await commands.begin()
        let link = commands.scratch.path + "/link"
        try await shell("ln -s data '\(link)'")
        #expect(try await LedgerBinary.run("stats", "--data", link).status == 0)
    }

    @Test("a file of another user is refused, and root may look into a ledger that is all another user's")
    func owners() async throws {
        guard geteuid() == 0 else { return }
        _ = try await commands.begin()
        for name in ["ledger.key", "ledger.sqlite"] {
            try await shell("chown 65534 '\(data)/\(name)'")
            let refused = try await commands.run("stats")
            #expect(refused.status == 1 && refused.errors.contains("belongs to user 65534"), "\(refused.errors)")
            try await shell(try remedy(refused.errors))
        }
        #expect(try await commands.run("stats").status == 0)
        try await shell("chown -R 65534 '\(data)'")
        #expect(try await commands.run("stats").status == 0)
        try await shell("chown 0 '\(data)/ledger.key'; chown 1 '\(data)/ledger.sqlite'")
        #expect(try await commands.run("stats").errors.contains("belongs to user 1,"))
    }

    @Test("the backup that is documented makes a file that the program takes")
    func backup() async throws {
        _ = try await commands.begin()
        let (guide, place) = (URL(fileURLWithPath: #filePath).appending(path: "../../../docs/operating.md"), "backup")
        let text = try String(contentsOf: guide.standardized, encoding: .utf8)
        let command = try #require(text.split(separator: "\n").first { $0.contains(".backup 'backup/") })
        try #require(command.hasPrefix("(umask 077; sqlite3 "))
        // Python's own call of the same function: the program sqlite3 need not be installed.
        try await shell(
            """
            cd '\(commands.scratch.path)'; umask 022; mkdir -m 700 \(place); cp -p data/ledger.key \(place)
            (umask 077; python3 -c 'import sqlite3
            a = sqlite3.connect("data/ledger.sqlite"); b = sqlite3.connect("\(place)/ledger.sqlite"); a.backup(b)')
            """)
        let verified = try await LedgerBinary.run("verify", "--data", commands.scratch.path + "/" + place)
        #expect(verified.status == 0, "\(verified.errors)")
    }
}
