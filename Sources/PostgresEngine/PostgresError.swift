package import EventStore

/// Why PostgreSQL did not do what it was asked, without any value of a row.
package struct PostgresError: Error {
    /// The five characters of the SQL standard and of PostgreSQL's appendix A, such as `23505`.
    package let sqlState: String
    /// What the server said, unless text of that kind may quote a value: then nil.
    package let message: String?
    package var table: String?
    package var constraint: String?
    /// Whether the session is gone with the statement.
    package var isConnectionLost = false
    /// Whether the answer to a commit was lost: what was written may be there or not, and has to be looked up.
    package var isOutcomeUnknown = false

    init(_ sqlState: String, _ message: String?) { (self.sqlState, self.message) = (sqlState, message) }

    /// Whether the transaction lost against a concurrent one, and may succeed when it is run again.
    package var isLostRace: Bool { sqlState == "40001" || sqlState == "40P01" }

    /// Whether the server can't be reached or can't work now, whatever it is asked.
    package var isOutage: Bool {
        isConnectionLost || ["08", "53", "57", "58"].contains(sqlState.prefix(2)) || sqlState == "25006"
    }

    /// Whether the same again may succeed, and nothing of it has been done.
    package var isWorthRepeating: Bool {
        !isOutcomeUnknown && (isLostRace || isOutage || sqlState == "55P03")
    }
}

extension PostgresError {
    /// Codes whose first message names schemas, tables, columns, constraints, roles or files, and quotes no values.
    /// Those of class 22 quote what they could not read, and so are dropped.
    private static let quotable: Set<Substring> = [
        "08", "0A", "23", "25", "28", "2B", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "P0", "XX",
    ]

    /// The error that the server reported.
    static func reported(_ sqlState: String, _ text: String) -> PostgresError {
        PostgresError(sqlState, quotable.contains(sqlState.prefix(2)) ? text : nil)
    }

    /// A session that did not answer in time, or whose connection broke.
    static func lost(_ text: String, sqlState: String = "08006") -> PostgresError {
        var error = PostgresError(sqlState, text)
        error.isConnectionLost = true
        return error
    }
}

extension PostgresError: CustomStringConvertible {
    package var description: String {
        var text = "PostgreSQL error \(sqlState)"
        if let message { text += ": \(message)" }
        if let table, message?.contains(table) != true { text += ", table \(table)" }
        if let constraint, message?.contains(constraint) != true { text += ", constraint \(constraint)" }
        return text
    }
}

extension EventStoreError {
    /// What PostgreSQL said, when it was PostgreSQL that failed.
    package var postgres: PostgresError? { cause as? PostgresError }

    /// The error of the vocabulary for one of PostgreSQL's.
    package init(postgres error: PostgresError) {
        self.init(Self.code(of: error), message: Self.message(of: error), cause: error)
    }

    private static func code(of error: PostgresError) -> Code {
        if error.isOutage || error.isLostRace || error.isOutcomeUnknown { return .unavailable }
        if ["28", "3D"].contains(error.sqlState.prefix(2)) || error.sqlState == "55P03" { return .unavailable }
        return error.sqlState == "XX001" || error.sqlState == "XX002" ? .corrupt : .invalid
    }

    private static func message(of error: PostgresError) -> String {
        if error.isOutcomeUnknown {
            return "the database's answer to a write was lost: read whether it was made before trying again"
        }
        if error.isLostRace { return "the database ran another transaction first: try again" }
        switch error.sqlState {
        case "53100": return "the disk of the database is full: make room and try again"
        case "57014": return "the database took longer than it may: try again, and look at its load"
        case "25006":
            return "the database can only be read: name its primary, or RESET default_transaction_read_only of the "
                + "database and of the role, as ALTER DATABASE and ALTER ROLE do"
        case "55P03": return "the database's rows are locked by another: try again"
        case "42P01", "42703", "3F000":
            return "the database lacks a table or a column of this program: run ledger migrate up"
        case "42501": return "the database's role may not do this: log in as another role"
        case "XX001", "XX002": return "the database is damaged: restore a backup"
        default: break
        }
        switch error.sqlState.prefix(2) {
        case "28": return "the database refused the login: check the user and the password"
        case "3D": return "the database is not there: check its name, or create it"
        default: break
        }
        return error.isOutage
            ? "the database did not answer: try again" : "the database refused a statement"
    }

    /// The error of the vocabulary for whatever work on a session threw.
    static func translating(_ error: any Error) -> EventStoreError {
        switch error {
        case let error as EventStoreError: error
        case let error as PostgresError: EventStoreError(postgres: error)
        default: EventStoreError(.invalid, message: "work on the database failed", cause: error)
        }
    }
}
