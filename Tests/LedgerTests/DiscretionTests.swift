import EventStore
import Foundation
import TestPrograms
import Testing

/// No line for people holds a person's number, and none has to stand in the list of processes.
@Suite struct CommandDiscretionTests {
    let commands: CommandTests

    init() throws { commands = try CommandTests() }

    private static let careless = [
        ["history", "73917"], ["state", "73917"], ["why", "73917"], ["73917"], ["--73917"], ["audit", "73917"],
        ["request", "--insured", "739170", "--schedule", "1", "--country", "PE"],
        ["request", "--insured=73917x", "--schedule", "1", "--country", "PE"],
        ["request", "--insured", "73917", "--schedule", "73917x", "--country", "73917"],
        ["audit", "--insured", "73917x"], ["audit", "--type", "73917"], ["audit", "--from", "73917"],
        ["audit", "--after", "x73917"], ["audit", "--insured", "73917", "73917"], ["stats", "--format", "73917"],
        ["stats", "--log-level", "x73917"], ["dlq", "show", "73917"], ["dlq", "redrive", "--queue", "q73917"],
        ["dlq", "discard", "7", "--reason", "asked for 73917 by mistake", "--yes"], ["keys", "revoke", "73917"],
        ["keys", "create", "--name", "x", "--role", "73917"], ["rebuild", "--into", "v73917"],
        ["replay", "--to", "stdout", "--resume", "r_73917"], ["diff", "--from", "73917x"],
    ]

    @Test("an error repeats no person's number, whichever argument it was in")
    func errors() async throws {
        _ = try await commands.begin()
        for arguments in Self.careless {
            let run = try RunningLedger(arguments + ["--data", commands.scratch.data])
            #expect(try await run.waitForExit() != 0, "\(arguments)")
            #expect(run.errors.hasPrefix("ledger: "))
            #expect(!run.errors.contains("73917") && !run.output.contains("73917"), "\(run.errors)")
        }
    }

    @Test("an error keeps whole what is no person's: a directory, a UUID and a limit")
    func kept() async throws {
        let directory = commands.scratch.data + "/clinic-73917"
        let none = try RunningLedger(["stats", "--data", directory])
        #expect(try await none.waitForExit() == 1)
        #expect(none.errors.contains("there is no ledger in \(directory):"), "\(none.errors)")
        _ = try await commands.begin()
        let id = "01a20eb6-7f19-7b9d-981d-8314088a3df2"
        #expect(try await commands.run("history", id).errors.contains(id))
        #expect(try await commands.run("audit", "access", "--limit", "73917").errors.contains("--limit is 1 to 10000"))
    }

    @Test("a person is named on standard input where that is asked for, on each verb that takes one")
    func standardInput() async throws {
        _ = try await commands.begin()
        let asked = try await commands.run(
            "request", "--insured", "-", "--schedule", "101", "--country", "PE", "--show-insured", input: "00125\n")
        #expect(asked.status == 0 && asked.output.contains("00125"), "\(asked.errors)")
        let found = try await commands.run("audit", "--insured", "-", input: "00125")
        #expect(try commands.rows(found).map { $0["insuredId"]?.text } == ["***25"])
        let listed = try await commands.run("audit", "view", "insured", "--insured=-", input: "00125\n00123\n")
        #expect(try commands.rows(listed).count == 1)
        for input in ["", "73917x\n", "\n00125\n"] {
            let refused = try await commands.run("audit", "--insured", "-", input: input)
            #expect(refused.status == 1 && refused.errors.contains("standard input"))
            #expect(!refused.errors.contains("73917"))
        }
    }

    @Test("a reason that may hold a person's number is refused before anything is kept")
    func reason() async throws {
        let ids = try await commands.begin()
        let refused = try await commands.run(
            "dlq", "discard", "\(ids[0])@1", "--reason", "patient 73917 asked twice", "--yes")
        #expect(refused.status == 1 && refused.errors.contains("--reason must not hold a run of exactly five digits"))
        #expect(try await commands.rows(commands.run("history", ids[0])).count == 1)
    }

    @Test("what an operator looked for is recorded without a person's number")
    func accesses() async throws {
        _ = try await commands.begin()
        for arguments in [["--actor", "73917"], ["--correlation", "dni-73917"], ["--insured", "73917"]] {
            let run = try RunningLedger(["audit", "--data", commands.scratch.data] + arguments)
            #expect(try await run.waitForExit() == 0)
        }
        let looks = try await commands.run("audit", "access")
        #expect(try commands.rows(looks).count == 3)
        #expect(!looks.output.contains("73917") && looks.output.contains("***17"))
    }
}
