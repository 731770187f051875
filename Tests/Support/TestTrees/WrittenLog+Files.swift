import EventStore
import Foundation
import TransparencyLog

extension WrittenLog {
    /// Writes the log of a size into a folder, the checkpoint last, as a publisher does.
    package func write(ofSize size: Int, to folder: String) throws {
        let resources = try resources(ofSize: size)
        for (path, bytes) in resources where path != "checkpoint" { try Self.put(bytes, "\(folder)/\(path)") }
        try Self.put(resources["checkpoint"] ?? [], "\(folder)/checkpoint")
    }

    /// Writes a file, which takes the place of what was there.
    package static func put(_ bytes: [UInt8], _ path: String) throws {
        let url = URL(fileURLWithPath: path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url, options: .atomic)
    }
}
