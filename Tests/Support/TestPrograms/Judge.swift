package import Foundation
import Testing

/// The program under `Tests/Foreign/judge`, which checks our log with Go's own packages.
package enum Judge {
    private static let go = "/usr/bin/go"
    private static let packages = "/usr/share/gocode"

    package static var isInstalled: Bool {
        FileManager.default.isExecutableFile(atPath: go)
            && FileManager.default.fileExists(atPath: packages + "/src/golang.org/x/mod/sumdb/tlog")
    }

    package static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// Built once for all tests; Go keeps what it compiled in the folder of Swift's build.
    private static let program = Task { () async throws -> String in
        let path = root.appending(path: ".build/foreign/judge").path
        let build = try RunningProgram(
            path: go, ["build", "-o", path, root.appending(path: "Tests/Foreign/judge/main.go").path],
            environment: [
                "GO111MODULE": "off", "GOPATH": packages, "GOFLAGS": "", "CGO_ENABLED": "0",
                "GOCACHE": root.appending(path: ".build/foreign/cache").path,
            ])
        let status = try await build.waitForExit(seconds: 300)
        try #require(status == 0, "\(build.errors)")
        return path
    }

    /// Runs it; gives the exit status and what it said.
    package static func run(_ arguments: [String], input: String = "") async throws -> (status: Int32, said: String) {
        let judge = try RunningProgram(path: try await program.value, arguments, input: input)
        let status = try await judge.waitForExit()
        return (status, judge.output + judge.errors)
    }
}
