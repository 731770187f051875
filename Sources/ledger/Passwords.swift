import AWSEngine
import EventStore
import HTTPClient
import Handlers
import HostSystem
import PostgresEngine

extension AWSLedger {
    /// The ledger's parts on AWS as an environment names them.
    ///
    /// - Throws: `invalid` when a setting is missing or wrong, with what to do.
    static func of(_ environment: [String: String]) throws(EventStoreError) -> AWSLedger {
        try AWSLedger(
            environment: environment,
            pool: ConnectionPool(ConnectionPool.Settings(certificates: environment["AWS_CA_BUNDLE"])),
            clock: AWSClock(
                now: System.now, uptime: Alarm.real.uptime, sleep: System.sleep, random: System.number))
    }

    /// Reads the passwords that are parameters of the Parameter Store.
    var passwords: PostgresSettings.SecretReader {
        { [parameters] name throws(EventStoreError) in try await parameters.value(of: name) }
    }
}

extension PostgresSettings {
    /// Reads the passwords that an environment names by `RDS_PASSWORD_PARAMETER`; nil when it names none.
    ///
    /// - Throws: `invalid` when it names one and says nothing of AWS, with what to do.
    static func passwords(of environment: [String: String]) throws(EventStoreError) -> SecretReader? {
        let names = environment.filter { $0.key.hasPrefix("RDS_PASSWORD_PARAMETER") && !$0.value.isEmpty }
        return names.isEmpty ? nil : try AWSLedger.of(environment).passwords
    }
}
