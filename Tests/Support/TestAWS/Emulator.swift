package import AWSEngine
package import EventStore
import Glibc
import HTTPClient
import Handlers
import Synchronization

/// The emulator of AWS that `scripts/aws.sh` has started, named by `LEDGER_TEST_AWS`.
package enum Emulator {
    private static let address: String? = getenv("LEDGER_TEST_AWS").map { String(cString: $0) }
    private static let accounts = Mutex(Int.random(in: 1..<900_000) * 1_000_000)

    /// Whether there is one.
    package static let isThere = address != nil
    /// Why a test is left out.
    package static let reason = "LEDGER_TEST_AWS names no emulator: run scripts/test.sh, or scripts/aws.sh start"

    /// The port that it listens on; 0 without one.
    package static let port = address?.split(separator: ":").last.flatMap { Int($0) } ?? 0

    /// A new account: what one test makes, no other sees.
    package static func account() -> String {
        let number = accounts.withLock { number in
            number += 1
            return number
        }
        return String(repeating: "0", count: 12 - String(number).count) + String(number)
    }

    /// The variables of a process that calls the emulator, directly or through a proxy.
    package static func environment(account: String = account(), through proxy: WireProxy? = nil) -> [String: String] {
        [
            "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_ENDPOINT_URL": proxy?.url ?? address ?? "http://127.0.0.1:1", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        ]
    }

    /// A client of the emulator with an account of its own.
    package static func client(
        account: String = account(), through proxy: WireProxy? = nil, clock: AWSClock = .quick, size: Int = 16
    ) throws -> AWSClient {
        try AWSClient(
            environment: environment(account: account, through: proxy), pool: ConnectionPool(size: size), clock: clock)
    }
}

extension AWSClock {
    /// The real time, and waits of at most a few milliseconds between attempts.
    package static let quick = quick(uptime: Alarm.real.uptime)

    /// The same with durations of another clock.
    package static func quick(uptime: @escaping @Sendable () -> Int64) -> AWSClock {
        AWSClock(
            now: realTime, uptime: uptime, sleep: { try? await Task.sleep(for: .milliseconds(min($0, 5))) },
            random: { UInt64.random(in: .min ... .max) })
    }

    /// The time of this machine.
    package static let realTime: @Sendable () -> Timestamp = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
