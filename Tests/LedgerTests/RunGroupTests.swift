import Foundation
import Handlers
import TestPrograms
import Testing

/// The packages that `make run` installs.
///
/// On a machine without Debian's packages there is nothing that could tell.
@Suite(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/dpkg-query")))
struct RunGroupTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../..")
        .standardizedFileURL.path

    private func check(_ scripts: [String] = []) async throws -> LedgerBinary.Outcome {
        let build = try LedgerBinary.url().deletingLastPathComponent().lastPathComponent
        let run = try RunningLedger([build] + scripts, program: Self.root + "/scripts/run-group.sh")
        let status = try await run.waitForExit()
        return LedgerBinary.Outcome(status: status, output: run.output, errors: run.errors)
    }

    @Test("every header, library and tool that ledger is built and run with is of a package that make run installs")
    func enough() async throws {
        let outcome = try await check()
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
        #expect(outcome.output == "")
    }

    @Test("a package that the run group lacks is named, with a file that needs it")
    func lacking() async throws {
        let scratch = try ScratchDirectory()
        let script = try String(contentsOfFile: Self.root + "/scripts/install.sh", encoding: .utf8)
        let planted = ["libcurl4-openssl-dev", "libpq-dev", "libsqlite3-dev", "libstdc++-12-dev", "binutils", "git"]
        var copies: [String] = []
        for name in planted {
            let copy = scratch.path + "/without-\(name).sh"
            let text = script.replacing(" \(name) ", with: " ").replacing(" \(name)\n", with: "\n")
                .replacing(" \(name)\"", with: "\"").replacing("=\"\(name) ", with: "=\"")
            try text.write(toFile: copy, atomically: true, encoding: .utf8)
            copies.append(copy)
        }
        let outcome = try await check(copies)
        #expect(outcome.status == 1)
        for (name, copy) in zip(planted, copies) {
            let line = outcome.lines.first { $0.hasPrefix("\(copy): the run group lacks \(name), which has /") }
            #expect(line != nil, "\(name): \(outcome.output)\(outcome.errors)")
        }
    }
}
