import EventStore
import Foundation
import RawHTTP
import TestPrograms
import Testing

@Suite struct DiskTests {
    /// How the disk becomes full.
    enum Disk: CaseIterable, CustomTestStringConvertible {
        /// The kernel refuses to let any file of the server grow: for every user.
        case fileSize
        /// A file system of 8 MiB: only root may mount one.
        case mounted

        static var available: [Disk] { geteuid() == 0 ? allCases : [.fileSize] }

        var testDescription: String { "\(self)" }
    }

    @Test(
        "a full disk is 503, nothing is acknowledged that is not stored, and with room the server goes on",
        arguments: Disk.available)
    func full(disk: Disk) async throws {
        let scratch = try ScratchDirectory()
        if disk == .mounted { try await shell("mount -t tmpfs -o size=8m ledger-test \(scratch.path)") }
        let server = try await LedgerServer(scratch.data, arguments: ["--sweep-after", "1"])
        if disk == .fileSize { try await shell("prlimit --pid \(server.run.pid) --fsize=3000000:unlimited") }
        var accepted: Set<String> = []
        var refusal: Answer?
        for request in 0..<20_000 where refusal == nil {
            let answer = try #require(try await server.ask(insured: request, schedule: request % 500 + 1))
            if answer.status == 201 { accepted.insert(try answer.text("appointmentId")) } else { refusal = answer }
        }
        let full = try #require(refusal, "the disk never became full")
        #expect(full.status == 503)
        #expect(full.errorCode == "STORE_UNAVAILABLE")
        #expect(full.header("Retry-After") != nil)
        #expect(!accepted.isEmpty)
        let unready = try await server.get("/health/ready", until: "nothing can be written: ")
        #expect(unready.status == 503)
        #expect(try await server.get("/appointments/00000").status == 200)
        switch disk {
        case .fileSize: try await shell("prlimit --pid \(server.run.pid) --fsize=unlimited:unlimited")
        case .mounted: try await shell("mount -o remount,size=256m \(scratch.path)")
        }
        // Nobody has to ask for an appointment to find out that there is room.
        try await server.get("/health/ready", until: #""status":"ready""#)
        try await recovers(server, &accepted)
        try await server.waitUntilAllEnded()
        try await server.stop()
        let recorded = try await LedgerBinary.run("audit", "--type", "requested", "--data", scratch.data)
        let ids = Set(try recorded.lines.compactMap { try JSONValue(Array($0.utf8))["appointmentId"]?.text })
        #expect(accepted.isSubset(of: ids))
        #expect(try await LedgerBinary.run("verify", "--data", scratch.data).status == 0)
        if disk == .mounted { try await shell("umount \(scratch.path)") }
    }

    private func recovers(_ server: LedgerServer, _ accepted: inout Set<String>) async throws {
        let end = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < end {
            let answer = try #require(try await server.ask(insured: 99_999, schedule: 1))
            if answer.status == 201 {
                accepted.insert(try answer.text("appointmentId"))
                return
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("the server did not recover when there was room")
    }

    private func shell(_ command: String) async throws {
        let run = try RunningProgram(path: "/bin/sh", ["-c", command])
        let status = try await run.waitForExit()
        try #require(status == 0, "\(command) failed: \(run.errors)")
    }
}
