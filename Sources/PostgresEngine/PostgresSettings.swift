package import Appointments
import CPostgres
package import EventStore

/// A database that this program works with.
package enum PostgresDatabase: Hashable, Sendable {
    /// The mirror of the ledger.
    case ledger
    /// The clinical database of a country.
    case country(Country)
}

/// Where a database is and who logs in, from the environment.
package struct PostgresSettings: Sendable {
    /// Gives the secret that a name stands for, such as one of AWS's parameter store.
    package typealias SecretReader = @Sendable (String) async throws(EventStoreError) -> String

    private enum Password: Sendable {
        case none
        case given(String)
        case named(String, SecretReader)
    }

    /// How long a session takes to be opened, at most.
    package var connectMilliseconds = 5000
    /// How long a statement takes, at most, unless a session says otherwise.
    package var statementMilliseconds = 30_000
    /// Whether sessions must be able to write. A role that may only read needs it off.
    package var requiresWriting = true

    /// Settings of the server for each session, such as `jit`. They are no place for text from outside.
    package var parameters: [String: String] = [:]

    /// Where and who, in the words of libpq, without the password.
    private var place: [String: String]
    private var secret: Password

    /// The settings that the variables of a database name; nil when they name none.
    ///
    /// `RDS_URL`, or `RDS_HOST`, `RDS_PORT`, `RDS_DATABASE`, `RDS_USERNAME`; `RDS_PASSWORD` or
    /// `RDS_PASSWORD_PARAMETER`; `RDS_SSLROOTCERT`. Each may end with `_PE` or `_CL` and then counts for that country
    /// before the one without. The mirror is configured by those that end with `_LEDGER` alone, so that settings of
    /// the countries switch no mirror on.
    /// - Parameter secrets: reads the password that `RDS_PASSWORD_PARAMETER` names.
    /// - Throws: `invalid` with the variable and what to do.
    package init?(
        _ database: PostgresDatabase, environment: [String: String], secrets: SecretReader? = nil
    ) throws(EventStoreError) {
        let variables = RDSVariables(database, environment)
        guard let named = try variables.place() else { return nil }
        secret = .none
        switch named {
        case .url(let url):
            place = try Self.parse(url.value, from: url.name)
            if let password = place.removeValue(forKey: "password") { secret = .given(password) }
        case .host(let host):
            place = ["host": host.value]
            place["dbname"] = try variables.required("RDS_DATABASE", beside: host).value
            place["user"] = try variables.required("RDS_USERNAME", beside: host).value
            place["port"] = try variables.port()
        }
        if let certificates = variables["RDS_SSLROOTCERT"] { place["sslrootcert"] = certificates.value }
        if case .none = secret { secret = try Self.secret(variables, secrets) }
        try secureLine(named.variable.name)
        if !isLocal, case .none = secret {
            let wanted = variables.own("RDS_PASSWORD")
            throw RDSVariables.invalid(
                "\(named.variable.name) leads to another machine without a password: set \(wanted)")
        }
    }

    /// The settings of a URL, `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`.
    ///
    /// - Throws: `invalid` when it is none, or leads to another machine without `sslmode=verify-full`.
    package init(url: String) throws(EventStoreError) {
        (place, secret) = (try Self.parse(url, from: "the URL"), .none)
        if let password = place.removeValue(forKey: "password") { secret = .given(password) }
        try secureLine("the URL")
    }

    /// Where the sessions lead, for people: without the password.
    package var summary: String {
        let host = place["host"] ?? place["hostaddr"] ?? ""
        return "\(place["dbname"] ?? "") on \(host) port \(place["port"] ?? "5432") as \(place["user"] ?? "")"
    }

    /// The same place for pages of audited events, which the planner is to know something of: reads are not from
    /// turning disks, a page is small, and its filters differ. Whoever asks waits ten seconds at most.
    package var auditing: PostgresSettings {
        var settings = self
        settings.statementMilliseconds = 10_000
        settings.parameters.merge(
            ["random_page_cost": "1.1", "jit": "off", "plan_cache_mode": "force_custom_plan"]
        ) { $1 }
        return settings
    }

    /// The same place for another user.
    package func login(_ user: String) -> PostgresSettings {
        var settings = self
        settings.place["user"] = user
        return settings
    }
}

// MARK: - Reading

extension PostgresSettings {
    private static func secret(
        _ variables: RDSVariables, _ secrets: SecretReader?
    ) throws(EventStoreError) -> Password {
        let (given, named) = (variables["RDS_PASSWORD"], variables["RDS_PASSWORD_PARAMETER"])
        if let given, let named, given.isOwn == named.isOwn {
            throw RDSVariables.invalid("\(given.name) and \(named.name) are both set: set one of them")
        }
        if let named, given?.isOwn != true {
            guard let secrets else {
                let wanted = variables.own("RDS_PASSWORD")
                throw RDSVariables.invalid("\(named.name) names a secret that can't be read here: set \(wanted)")
            }
            return .named(named.value, secrets)
        }
        return given.map { .given($0.value) } ?? .none
    }

    /// The words of libpq in a URL. libpq's own errors quote it, with the password, and are not shown.
    private static func parse(_ url: String, from name: String) throws(EventStoreError) -> [String: String] {
        var said: UnsafeMutablePointer<CChar>?
        let isURL = url.hasPrefix("postgresql://") || url.hasPrefix("postgres://")
        let parsed = isURL ? PQconninfoParse(url, &said) : nil
        if let said { PQfreemem(said) }
        guard let parsed else {
            throw RDSVariables.invalid("\(name) can't be read: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
        }
        defer { PQconninfoFree(parsed) }
        var words: [String: String] = [:]
        var option = parsed
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { words[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        // Without these, libpq would look into files and variables of its own.
        for (key, what) in [("host", "host"), ("dbname", "database"), ("user", "user")] where words[key] == nil {
            if key == "host", words["hostaddr"] != nil { continue }
            throw RDSVariables.invalid("\(name) names no \(what): write postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
        }
        return words
    }

    /// Whether a host is this machine: a loopback address, or the directory of a Unix socket.
    static func isLocal(_ host: String) -> Bool {
        if host.hasPrefix("/") || host.hasPrefix("@") || host == "localhost" || host == "::1" { return true }
        return host.hasPrefix("127.") && host.allSatisfy { $0 == "." || $0.isASCII && $0.isNumber }
    }

    private var isLocal: Bool {
        [place["host"], place["hostaddr"]].compactMap { $0 }.allSatisfy { hosts in
            hosts.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { Self.isLocal(String($0)) }
        }
    }

    /// Another machine is spoken to only when it has shown a certificate in its name.
    private mutating func secureLine(_ name: String) throws(EventStoreError) {
        if isLocal { return }
        let mode = place["sslmode"] ?? "verify-full"
        guard mode == "verify-full" else {
            throw RDSVariables.invalid(
                "\(name) leads to another machine with sslmode=\(mode): write sslmode=verify-full")
        }
        place["sslmode"] = mode
    }
}

// MARK: - Connecting

extension PostgresSettings {
    /// How long a transaction may stand still before the server ends it, so that a program that hangs holds no locks.
    private static let idleTransactionMilliseconds = 60_000

    /// The password; nil when there is none. A secret is read for each session, since it may be changed any time.
    func password() async throws(EventStoreError) -> String? {
        switch secret {
        case .none: nil
        case .given(let password): password
        case .named(let name, let read): try await read(name)
        }
    }

    /// What libpq connects with.
    func options(password: String?) -> [String: String] {
        var options = [
            "application_name": "ledger", "gssencmode": "disable",
            // A machine that vanished without a word is noticed within half a minute.
            "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "25000",
        ]
        options.merge(place) { $1 }
        options["client_encoding"] = "UTF8"
        options["target_session_attrs"] = requiresWriting ? "read-write" : "any"
        options["password"] = password
        options["options"] = """
            \(place["options"] ?? "") -c statement_timeout=\(statementMilliseconds) \
            -c idle_in_transaction_session_timeout=\(Self.idleTransactionMilliseconds) -c TimeZone=UTC \
            -c standard_conforming_strings=on
            """
        for (name, value) in parameters.sorted(by: { $0.key < $1.key }) {
            options["options"]?.append(" -c \(name)=\(value)")
        }
        return options
    }
}
