import Dispatch
import Synchronization

/// Lets a proxy's reaction, which is synchronous and has a thread of its own, wait for something asynchronous.
final class Errand: Sendable {
    private let succeeded = Mutex(false)
    private let done = DispatchSemaphore(value: 0)

    /// Whether the work succeeded.
    static func run<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) -> Bool {
        let errand = Errand()
        Task {
            let succeeded = (try? await work()) != nil
            errand.succeeded.withLock { $0 = succeeded }
            errand.done.signal()
        }
        errand.done.wait()
        return errand.succeeded.withLock { $0 }
    }
}
