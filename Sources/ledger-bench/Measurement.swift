import ArgumentParser
import EventStore
import Foundation
import HostSystem
import Synchronization

/// One measured case, printed as one JSON line.
struct Measurement: Sendable {
    let name: String
    let clients: Int
    let events: Int
    let seconds: Double
    /// Latencies of single operations in nanoseconds, sorted.
    let latencies: [UInt64]
    /// What the database does by itself in the same run.
    var limitPerSecond: Double?

    var perSecond: Double { seconds > 0 ? Double(events) / seconds : 0 }

    /// Runs operations on several clients concurrently and measures each.
    ///
    /// - Parameter operation: is given the number of the operation, counted over all clients.
    static func run(
        _ name: String, clients: Int, operations: Int, eventsPerOperation: Int = 1,
        _ operation: @escaping @Sendable (_ index: Int) async throws -> Void
    ) async throws -> Measurement {
        let next = Counter()
        let clock = ContinuousClock()
        let start = clock.now
        let latencies = try await withThrowingTaskGroup(of: [UInt64].self) { group in
            for _ in 0..<clients {
                group.addTask {
                    var own: [UInt64] = []
                    while true {
                        let index = next.take()
                        if index >= operations { return own }
                        let begin = clock.now
                        try await operation(index)
                        own.append(nanoseconds(clock.now - begin))
                    }
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        return Measurement(
            name: name, clients: clients, events: operations * eventsPerOperation,
            seconds: Double(nanoseconds(clock.now - start)) / 1e9, latencies: latencies.sorted())
    }

    static func nanoseconds(_ duration: Duration) -> UInt64 {
        UInt64(duration.components.seconds) * 1_000_000_000 + UInt64(duration.components.attoseconds / 1_000_000_000)
    }

    private func percentile(_ share: Double) -> Double? {
        guard let last = latencies.indices.last else { return nil }
        return Double(latencies[min(last, Int(Double(latencies.count) * share))]) / 1000
    }

    /// Prints `{"case","clients","events","seconds","perSecond","p50Micros","p99Micros","maxMicros",…}`.
    func report() {
        var writer = JSONWriter()
        writer.object {
            $0.member("case", name)
            $0.member("clients", clients)
            $0.member("events", events)
            $0.number("seconds", seconds, digits: 3)
            $0.number("perSecond", perSecond, digits: 0)
            $0.number("p50Micros", percentile(0.5), digits: 1)
            $0.number("p99Micros", percentile(0.99), digits: 1)
            $0.number("maxMicros", latencies.last.map { Double($0) / 1000 }, digits: 1)
            $0.number("limitPerSecond", limitPerSecond, digits: 0)
            $0.number("ratio", limitPerSecond.map { perSecond / $0 }, digits: 2)
            $0.member("peakRSSBytes", System.peakResidentBytes)
        }
        StandardStreams.write(writer.bytes + [10], to: STDOUT_FILENO)
    }
}

extension JSONWriter {
    fileprivate mutating func number(_ name: String, _ value: Double?, digits: Int) {
        key(name)
        guard let value else { return null() }
        raw(Array(String(format: "%.\(digits)f", value).utf8))
    }
}

/// Gives each number once, from 0.
private final class Counter: Sendable {
    private let next = Atomic<Int>(0)

    func take() -> Int { next.wrappingAdd(1, ordering: .relaxed).oldValue }
}

/// A directory for one measurement, removed when it is over.
struct ScratchDirectory: ~Copyable {
    let path: String

    /// - Parameter parent: a directory on the disk that is to be measured.
    init(in parent: String) throws {
        path = "\(parent)/ledger-bench-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
