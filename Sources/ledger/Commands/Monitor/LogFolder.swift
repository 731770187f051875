import EventStore
import HostSystem
import LogService

/// A log as files in a folder, as `ledger checkpoint publish` writes it.
struct LogFolder: LogSource {
    let path: String

    func read(_ resource: String, maximumBytes: Int) async throws(NoAnswer) -> [UInt8]? {
        let bytes: [UInt8]?
        do throws(EventStoreError) {
            bytes = try GivenFile.read("\(path)/\(resource)", limit: maximumBytes)
        } catch {
            throw NoAnswer(error.message)
        }
        if let bytes, bytes.count > maximumBytes { throw NoAnswer("\(resource) has more than \(maximumBytes) bytes") }
        return bytes
    }
}
