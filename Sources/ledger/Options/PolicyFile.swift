import EventStore
import HostSystem
import TransparencyLog

extension TrustPolicy {
    /// The policy in a file.
    ///
    /// - Throws: a refusal that names the file and the line.
    static func read(_ path: String) throws -> TrustPolicy {
        let bytes = try GivenFile.bytes(path, limit: maximumBytes)
        do throws(TransparencyError) {
            return try TrustPolicy(bytes)
        } catch {
            throw Refusal("\(path): \(error.message)")
        }
    }
}

extension GivenFile {
    /// What a file holds, at most `limit + 1` bytes.
    ///
    /// - Throws: a refusal where there is no such file.
    static func bytes(_ path: String, limit: Int) throws -> [UInt8] {
        guard let bytes = try read(path, limit: limit) else { throw Refusal("there is no file \(path)") }
        return bytes
    }
}
