import Foundation
import TestPrograms
import Testing

/// The README and the tutorial, as somebody tries them who reads them first.
@Suite struct ReadmeTests {
    @Test("each command of the README and the tutorial is answered as it says")
    func session() async throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../..")
        let run = try RunningLedger(
            [try LedgerBinary.url().path], program: root.appending(path: "scripts/session.sh").standardizedFileURL.path)
        #expect(try await run.waitForExit() == 0, "\(run.errors)")
    }
}
