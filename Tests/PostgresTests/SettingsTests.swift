import Appointments
import EventStore
import PostgresEngine
import Testing

/// Which database the environment names.
@Suite struct SettingsTests {
    private static let host = ["RDS_HOST": "/run/postgres", "RDS_DATABASE": "clinic", "RDS_USERNAME": "app"]

    private func place(_ database: PostgresDatabase, _ environment: [String: String]) throws -> String? {
        try PostgresSettings(database, environment: environment)?.summary
    }

    @Test("without variables there is no database")
    func none() throws {
        for database in [PostgresDatabase.ledger, .country(.peru)] {
            #expect(try place(database, ["PATH": "/bin", "RDS_HOST": "", "RDS_HOST_PE": ""]) == nil)
        }
    }

    @Test("variables without a suffix are both countries' and never the mirror's")
    func shared() throws {
        for country in Country.allCases {
            #expect(try place(.country(country), Self.host) == "clinic on /run/postgres port 5432 as app")
        }
        #expect(try place(.ledger, Self.host) == nil)
        let mirror = ["RDS_URL_LEDGER": "postgresql://m@localhost:6543/mirror"]
        #expect(try place(.ledger, mirror) == "mirror on localhost port 6543 as m")
        #expect(try place(.country(.chile), mirror) == nil)
    }

    @Test("a variable of the database's own goes before one without a suffix")
    func own() throws {
        var environment = Self.host
        environment["RDS_DATABASE_CL"] = "chile"
        environment["RDS_PORT_CL"] = "6000"
        #expect(try place(.country(.chile), environment) == "chile on /run/postgres port 6000 as app")
        #expect(try place(.country(.peru), environment) == "clinic on /run/postgres port 5432 as app")
        environment["RDS_URL_PE"] = "postgresql://pe@/peru?host=/tmp"
        #expect(try place(.country(.peru), environment) == "peru on /tmp port 5432 as pe")
    }

    @Test(
        "a mistake names the variable and what to do",
        arguments: [
            (["RDS_HOST_LEDGER": "/tmp", "RDS_USERNAME_LEDGER": "m"], "RDS_DATABASE_LEDGER is not: set it too"),
            (["RDS_HOST_LEDGER": "/tmp", "RDS_DATABASE_LEDGER": "m"], "RDS_USERNAME_LEDGER is not: set it too"),
            (["RDS_DATABASE_LEDGER": "m"], "RDS_HOST_LEDGER is not: set it too, or unset RDS_DATABASE_LEDGER"),
            (["RDS_PASSWORD_LEDGER": "geheim"], "RDS_HOST_LEDGER is not"),
            (
                ["RDS_URL_LEDGER": "postgresql://m@/m?host=/tmp", "RDS_HOST_LEDGER": "h"],
                "RDS_URL_LEDGER and RDS_HOST_LEDGER are both set: set one of them"
            ),
            (["RDS_URL_LEDGER": "mysql://m:geheim@localhost/m"], "RDS_URL_LEDGER can't be read: write postgresql://"),
            (["RDS_URL_LEDGER": "postgresql://m:geheim%zz@localhost/m"], "RDS_URL_LEDGER can't be read"),
            (["RDS_URL_LEDGER": "postgresql://m:geheim@localhost/"], "RDS_URL_LEDGER names no database"),
            (["RDS_URL_LEDGER": "postgresql:///m?host=/tmp"], "RDS_URL_LEDGER names no user"),
            (["RDS_URL_LEDGER": "postgresql://m@/m"], "RDS_URL_LEDGER names no host"),
            (port("0"), "RDS_PORT_LEDGER is no port: write a number from 1 to 65535"), (port("65536"), "is no port"),
            (port("five"), "is no port"),
            (
                ledger(["RDS_PASSWORD_LEDGER": "geheim", "RDS_PASSWORD_PARAMETER_LEDGER": "/x"]),
                "RDS_PASSWORD_LEDGER and RDS_PASSWORD_PARAMETER_LEDGER are both set: set one of them"
            ),
            (
                ledger(["RDS_PASSWORD_PARAMETER_LEDGER": "/x"]),
                "RDS_PASSWORD_PARAMETER_LEDGER names a secret that can't be read here: set RDS_PASSWORD_LEDGER"
            ),
            (ledger(["RDS_HOST_LEDGER": "db.example"]), "without a password: set RDS_PASSWORD_LEDGER"),
        ])
    func mistakes(environment: [String: String], text: String) throws {
        let error = try #require(throws: EventStoreError.self) { try place(.ledger, environment) }
        #expect(error.code == .invalid && error.message.contains(text))
        #expect(!error.description.contains("geheim"))
    }

    private static func ledger(_ more: [String: String]) -> [String: String] {
        ["RDS_HOST_LEDGER": "/tmp", "RDS_DATABASE_LEDGER": "m", "RDS_USERNAME_LEDGER": "m"].merging(more) { $1 }
    }

    private static func port(_ text: String) -> [String: String] { ledger(["RDS_PORT_LEDGER": text]) }

    @Test(
        "another machine is spoken to only when it shows a certificate in its name",
        arguments: ["db.example", "10.0.0.7", "127.0.0.1.example", "localhost,db.example", "[2001:db8::1]"])
    func anotherMachine(host: String) throws {
        #expect(throws: Never.self) { try PostgresSettings(url: "postgresql://m:p@\(host)/m") }
        #expect(throws: Never.self) { try PostgresSettings(url: "postgresql://m:p@\(host)/m?sslmode=verify-full") }
        for mode in ["disable", "allow", "prefer", "require", "verify-ca"] {
            let error = try #require(throws: EventStoreError.self) {
                try PostgresSettings(url: "postgresql://m:p@\(host)/m?sslmode=\(mode)")
            }
            #expect(error.message.contains("write sslmode=verify-full"))
        }
    }

    @Test(
        "this machine needs no certificate",
        arguments: ["localhost", "127.0.0.1", "127.8.9.1", "[::1]", "%2Ftmp", "localhost,127.0.0.1"])
    func thisMachine(host: String) throws {
        #expect(throws: Never.self) { try PostgresSettings(url: "postgresql://m@\(host)/m?sslmode=disable") }
    }

    @Test("an address behind a harmless name counts too")
    func hiddenAddress() {
        #expect(throws: EventStoreError.self) {
            try PostgresSettings(url: "postgresql://m@localhost/m?hostaddr=10.0.0.7&sslmode=disable")
        }
    }

    @Test("a secret is read by its name, for each session anew")
    func secret() async throws {
        let environment = Self.ledger(["RDS_PASSWORD_PARAMETER_LEDGER": "/ledger/password"])
        let settings = try PostgresSettings(.ledger, environment: environment) { name throws(EventStoreError) in
            throw EventStoreError(.unavailable, message: "asked for \(name)")
        }
        let pool = PostgresPool(try #require(settings), random: { 0 })
        let error = await #expect(throws: EventStoreError.self) { try await pool.use { $0.serverProcess } }
        #expect(error?.message == "asked for /ledger/password")
    }
}
