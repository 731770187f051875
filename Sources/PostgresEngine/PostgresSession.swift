import CPostgres
import EventStore

/// A login at the server, used by one caller at a time and on one thread. Its calls stand still until the server has
/// answered, or the time of a statement is over.
///
/// Every call throws `PostgresError` for what the server or the connection did, and what its closure throws.
package final class PostgresSession {
    /// A statement that the server has parsed.
    struct Prepared {
        let name: String
        let parameters: [PostgresType]
    }

    /// The most statements that are kept parsed.
    private static let maximumStatements = 256

    let wire: Wire
    private var statements: [String: Prepared] = [:]
    /// The types of the columns that were copied into, by the text that names them.
    var copyTypes: [String: [PostgresType]] = [:]
    private var preparedCount = 0
    private let standardLimit: Int
    private(set) var statementLimit: Int

    init(_ settings: PostgresSettings, password: String?, interrupt: Interrupt) throws(PostgresError) {
        wire = try Wire(
            settings.options(password: password), withinMilliseconds: settings.connectMilliseconds,
            interrupt: interrupt)
        standardLimit = settings.statementMilliseconds
        statementLimit = standardLimit
    }

    /// The number of the server's process of this session.
    package var serverProcess: Int { Int(PQbackendPID(wire.connection)) }

    /// Fetches all rows of a statement.
    package func query<Value>(
        _ sql: String, _ parameters: [PostgresValue] = [], _ read: (PostgresRow) throws -> Value
    ) throws -> [Value] {
        let answer = try perform(sql, parameters)
        return try (0..<answer.rowCount).map { try read(PostgresRow(answer, row: $0)) }
    }

    /// Fetches the first row of a statement; nil when it has none.
    package func row<Value>(
        _ sql: String, _ parameters: [PostgresValue] = [], _ read: (PostgresRow) throws -> Value
    ) throws -> Value? {
        let answer = try perform(sql, parameters)
        return answer.rowCount == 0 ? nil : try read(PostgresRow(answer, row: 0))
    }

    /// Runs a statement and gives how many rows it has written.
    @discardableResult
    package func execute(_ sql: String, _ parameters: [PostgresValue] = []) throws -> Int {
        try perform(sql, parameters).affected
    }

    /// Runs a text of one or more statements without parameters, as one transaction unless it says otherwise.
    package func run(_ script: String) throws { try simple(script) }

    /// Limits the time of each statement from here on, until the session goes back to its pool; 0 for no limit.
    package func limitStatements(toMilliseconds limit: Int) throws {
        try simple("SET statement_timeout = \(max(limit, 0))")
        statementLimit = max(limit, 0)
    }
}

// MARK: - Transactions

extension PostgresSession {
    /// Runs a transaction: committed when the body returns, rolled back when it throws.
    ///
    /// - Throws: what the body throws. An error whose `isOutcomeUnknown` is true when the connection broke while the
    ///   commit was under way.
    @discardableResult
    package func transaction<Value>(_ body: () throws -> Value) throws -> Value {
        guard isOutsideTransaction || wire.isBroken else {
            throw EventStoreError(.invalid, message: "a transaction was begun inside another: begin one at a time")
        }
        do { try simple("BEGIN ISOLATION LEVEL READ COMMITTED") } catch let error as PostgresError {
            // Nothing was asked for yet, so nothing can have been done.
            var error = error
            error.isOutcomeUnknown = false
            throw error
        }
        let value: Value
        do { value = try body() } catch {
            rollBack()
            throw error
        }
        try commit()
        return value
    }

    private func commit() throws {
        let command: String
        do { command = try simple("COMMIT") } catch var error as PostgresError {
            error.isOutcomeUnknown = error.isConnectionLost
            throw error
        }
        // The server answers the commit of a failed transaction with a rollback, and calls that a success.
        if command != "COMMIT" {
            throw PostgresError("25P02", "the transaction was rolled back: a statement in it had failed")
        }
    }

    private func rollBack() {
        guard !wire.isBroken else { return }
        // A session that can't even roll back is given up, and the server does it then.
        do { try simple("ROLLBACK") } catch { wire.abandon() }
    }

    /// Makes the session fit for the next caller, or gives it up.
    func settle() {
        if wire.hasCancelled { wire.abandon() }
        if wire.isBroken { return }
        switch PQtransactionStatus(wire.connection) {
        case PQTRANS_IDLE: break
        case PQTRANS_INTRANS, PQTRANS_INERROR: rollBack()
        default: wire.abandon()
        }
        if statementLimit != standardLimit, !wire.isBroken {
            do { try limitStatements(toMilliseconds: standardLimit) } catch { wire.abandon() }
        }
    }
}

// MARK: - Statements

extension PostgresSession {
    /// Runs a statement that is parsed once, with its parameters and rows in binary.
    private func perform(_ sql: String, _ parameters: [PostgresValue]) throws -> Answer {
        let prepared = try prepare(sql)
        let bound = try BoundParameters(parameters, as: prepared.parameters)
        return try exchange { bound.send(prepared.name, on: wire.connection) }
    }

    /// The statement, parsed by the server when it is new to this session.
    func prepare(_ sql: String) throws -> Prepared {
        if let prepared = statements[sql] { return prepared }
        if statements.count >= Self.maximumStatements { try forgetStatements() }
        preparedCount += 1
        let name = "s\(preparedCount)"
        let prepared = Prepared(name: name, parameters: try describe(sql, name: name).parameterTypes)
        statements[sql] = prepared
        return prepared
    }

    /// Has a statement parsed under a name, and asks for the types of its parameters and columns.
    func describe(_ sql: String, name: String) throws -> Answer {
        _ = try exchange(changesNothing: true) { PQsendPrepare(wire.connection, name, sql, 0, nil) }
        return try exchange(changesNothing: true) { PQsendDescribePrepared(wire.connection, name) }
    }

    private func forgetStatements() throws {
        try simple("DEALLOCATE ALL")
        statements = [:]
    }

    @discardableResult
    private func simple(_ script: String) throws -> String {
        try exchange { PQsendQuery(wire.connection, script) }.command
    }

    /// Sends one statement and takes its last result.
    ///
    /// - Parameter changesNothing: whether a lost answer leaves no doubt.
    func exchange(changesNothing: Bool = false, _ send: () -> Int32) throws -> Answer {
        try ready()
        func run() throws -> Answer {
            guard send() == 1 else { throw sendFailure() }
            return try collect()
        }
        return try doubting(if: !changesNothing && isOutsideTransaction, run)
    }

    /// Whether the next statement would be a transaction by itself.
    var isOutsideTransaction: Bool { PQtransactionStatus(wire.connection) == PQTRANS_IDLE }

    /// Marks a lost answer as one that may hide a write.
    ///
    /// - Parameter isAlone: whether what the body sends commits itself, as it does outside of a transaction.
    func doubting<Value>(if isAlone: Bool, _ body: () throws -> Value) throws -> Value {
        do { return try body() } catch var error as PostgresError {
            if isAlone { error.isOutcomeUnknown = error.isConnectionLost }
            throw error
        }
    }

    /// Takes all results of a statement and gives the last; throws the first failure.
    func collect() throws -> Answer {
        let deadline = deadline
        var last: Answer?
        var failure: PostgresError?
        while let answer = try wire.nextResult(until: deadline) {
            if failure == nil { failure = answer.failure }
            last = answer
            if [PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH].contains(answer.status) { break }
        }
        if let failure { throw note(failure) }
        guard let last else { throw sendFailure() }
        return last
    }

    /// The server stops a statement at its limit; when it does not, it is told to.
    var deadline: Deadline { Deadline(milliseconds: statementLimit == 0 ? 0 : statementLimit + 1000) }

    /// - Throws: when the session can't be used any more, or its caller has gone away.
    func ready() throws {
        if wire.isBroken { throw PostgresError.lost("the session's connection was lost before", sqlState: "08003") }
        if wire.isInterrupted || wire.hasCancelled { throw PostgresError("57014", "the caller gave up") }
    }

    /// Draws the consequences of a failure for the session, and gives it on.
    func note(_ error: PostgresError) -> PostgresError {
        // A primary that became a standby (25006): the next session looks for the new one. Statements that the server
        // has lost (26000) or whose columns a migration has changed (0A000): the next session parses them anew.
        if error.isConnectionLost || ["25006", "26000", "0A000"].contains(error.sqlState) { wire.abandon() }
        return error
    }

    func sendFailure() -> PostgresError {
        wire.abandon()
        return PostgresError.lost(wire.lastMessage)
    }
}

/// Parameters in the form that libpq sends.
struct BoundParameters {
    /// Begins with a byte of no meaning, so that it always has an address.
    private var bytes: [UInt8] = [0]
    private var starts: [Int?] = []
    private var lengths: [Int32] = []

    /// - Throws: when a value does not fit into its place.
    init(_ values: [PostgresValue], as types: [PostgresType]) throws {
        guard values.count == types.count else {
            throw PostgresError("08P01", "the statement has \(types.count) parameters, \(values.count) were given")
        }
        for (index, value) in values.enumerated() {
            let start = bytes.count
            let isPresent = try value.encode(as: types[index], into: &bytes, "parameter $\(index + 1)")
            starts.append(isPresent ? start : nil)
            lengths.append(Int32(bytes.count - start))
        }
        // Room after the last, so that an empty value at the end has an address too.
        bytes.append(0)
    }

    /// Sends a prepared statement with the parameters; 1 when libpq has taken it.
    func send(_ statement: String, on connection: OpaquePointer) -> Int32 {
        bytes.withUnsafeBytes { buffer in
            let places = starts.map { start in
                start.flatMap { buffer.baseAddress?.advanced(by: $0).assumingMemoryBound(to: CChar.self) }
            }
            let formats = [Int32](repeating: 1, count: places.count)
            return PQsendQueryPrepared(connection, statement, Int32(places.count), places, lengths, formats, 1)
        }
    }
}
