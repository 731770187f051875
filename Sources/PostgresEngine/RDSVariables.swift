import Appointments
import EventStore

/// The variables that name one database. One that ends with the database's own suffix goes before one without.
struct RDSVariables {
    /// A variable that is set.
    struct Variable {
        let name: String
        let value: String
        /// Whether it has the database's suffix.
        let isOwn: Bool
    }

    /// The variable that says where the database is.
    enum Place {
        case url(Variable)
        case host(Variable)

        var variable: Variable {
            switch self {
            case .url(let variable), .host(let variable): variable
            }
        }
    }

    private let environment: [String: String]
    private let suffix: String
    /// Whether variables without a suffix count.
    private let isShared: Bool

    init(_ database: PostgresDatabase, _ environment: [String: String]) {
        self.environment = environment
        switch database {
        case .ledger: (suffix, isShared) = ("_LEDGER", false)
        case .country(let country): (suffix, isShared) = ("_\(country.code)", true)
        }
    }

    /// A variable by its name without a suffix. An empty one is not set.
    subscript(name: String) -> Variable? {
        read(name, isOwn: true) ?? (isShared ? read(name, isOwn: false) : nil)
    }

    private func read(_ name: String, isOwn: Bool) -> Variable? {
        let name = isOwn ? own(name) : name
        guard let value = environment[name], !value.isEmpty else { return nil }
        return Variable(name: name, value: value, isOwn: isOwn)
    }

    /// The name of a variable for this database alone.
    func own(_ name: String) -> String { name + suffix }

    /// Where the database is; nil when no variable is about it.
    func place() throws(EventStoreError) -> Place? {
        for isOwn in isShared ? [true, false] : [true] {
            let (url, host) = (read("RDS_URL", isOwn: isOwn), read("RDS_HOST", isOwn: isOwn))
            if let url, let host { throw Self.invalid("\(url.name) and \(host.name) are both set: set one of them") }
            if let url { return .url(url) }
            if let host { return .host(host) }
        }
        let others = ["RDS_DATABASE", "RDS_USERNAME", "RDS_PASSWORD", "RDS_PASSWORD_PARAMETER", "RDS_PORT"]
        if let stray = others.compactMap({ self[$0] }).first {
            let host = stray.isOwn ? own("RDS_HOST") : "RDS_HOST"
            throw Self.invalid("\(stray.name) is set and \(host) is not: set it too, or unset \(stray.name)")
        }
        return nil
    }

    /// A variable that has to be there.
    func required(_ name: String, beside other: Variable) throws(EventStoreError) -> Variable {
        if let variable = self[name] { return variable }
        throw Self.invalid("\(other.name) is set and \(other.isOwn ? own(name) : name) is not: set it too")
    }

    /// The port, 5432 unless a variable says otherwise.
    func port() throws(EventStoreError) -> String {
        guard let variable = self["RDS_PORT"] else { return "5432" }
        guard let port = UInt16(variable.value), port > 0 else {
            throw Self.invalid("\(variable.name) is no port: write a number from 1 to 65535")
        }
        return String(port)
    }

    static func invalid(_ message: String) -> EventStoreError { EventStoreError(.invalid, message: message) }
}
