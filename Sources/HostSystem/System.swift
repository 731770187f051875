package import EventStore
// The C library has no other way to give all variables than a global of its own.
@preconcurrency import Glibc

/// The machine's clock, random generator and environment: only a program reads them.
package enum System {
    /// The wall clock.
    package static let now: @Sendable () -> Timestamp = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// The time since the machine was started, by a clock that nobody sets; it goes on while the machine sleeps.
    package static let elapsed: @Sendable () -> Duration = {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    /// Bytes of the kernel's cryptographic generator.
    package static let random: @Sendable (_ count: Int) -> [UInt8] = { count in
        var generator = SystemRandomNumberGenerator()
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 7)
        while bytes.count < count {
            withUnsafeBytes(of: generator.next()) { bytes.append(contentsOf: $0) }
        }
        return Array(bytes.prefix(count))
    }

    /// 64 random bits, where nobody gains by guessing them.
    package static let number: @Sendable () -> UInt64 = { .random(in: .min ... .max) }

    /// The most memory that this process has had resident, in bytes.
    package static var peakResidentBytes: Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1024
    }

    /// The variables of the process. One that is no UTF-8 is repaired.
    package static var environment: [String: String] {
        var variables: [String: String] = [:]
        var place = environ
        while let entry = place.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            place += 1
        }
        return variables
    }

    /// Sleeps for some milliseconds, or until the task is cancelled.
    package static let sleep: @Sendable (_ milliseconds: Int64) async -> Void = { milliseconds in
        // Only a cancelled task throws here, and its caller looks at that itself.
        try? await Task.sleep(for: .milliseconds(milliseconds))
    }
}
