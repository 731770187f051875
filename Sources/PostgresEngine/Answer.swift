import CPostgres

/// A result of libpq: what a statement gave, or why it did not.
final class Answer {
    private let result: OpaquePointer
    let status: ExecStatusType

    init(_ result: OpaquePointer) {
        self.result = result
        status = PQresultStatus(result)
    }

    deinit { PQclear(result) }

    var rowCount: Int { Int(PQntuples(result)) }

    /// How many rows a statement has written, or given.
    var affected: Int { Int(String(cString: PQcmdTuples(result))) ?? 0 }

    /// What was done, such as `COMMIT`.
    var command: String { String(cString: PQcmdStatus(result)) }

    /// The types of a prepared statement's parameters, when it was asked to describe itself.
    var parameterTypes: [PostgresType] { (0..<PQnparams(result)).map { PostgresType(oid: PQparamtype(result, $0)) } }

    /// The types of its columns.
    var columnTypes: [PostgresType] { (0..<width).map(type) }

    /// The failure that this result is; nil for a success.
    var failure: PostgresError? {
        switch status {
        case PGRES_FATAL_ERROR, PGRES_BAD_RESPONSE, PGRES_NONFATAL_ERROR: break
        default: return nil
        }
        // A result without a code was made by libpq itself: the connection is gone.
        guard let state = field("C") else {
            return .lost(PQresultErrorMessage(result).map { Wire.oneLine(String(cString: $0)) } ?? "")
        }
        var error = PostgresError.reported(state, field("M") ?? "")
        (error.table, error.constraint) = (field("t"), field("n"))
        let severity = field("V")
        error.isConnectionLost = severity == "FATAL" || severity == "PANIC"
        return error
    }

    /// The code of the field that tells errors that end the session from others.
    static let severity = Int32(UInt8(ascii: "V"))

    /// A field of the error, by its code in the protocol: `V` severity, `C` state, `M` message, `t` table,
    /// `n` constraint. Detail, hint and context quote values and are never asked for.
    private func field(_ code: Unicode.Scalar) -> String? {
        PQresultErrorField(result, Int32(code.value)).map { String(cString: $0) }
    }
}

extension Answer: RowMemory {
    var width: Int { Int(PQnfields(result)) }

    func type(_ column: Int) -> PostgresType { PostgresType(oid: PQftype(result, Int32(column))) }

    func name(_ column: Int) -> String { PQfname(result, Int32(column)).map { String(cString: $0) } ?? "\(column)" }

    func cell(_ column: Int, ofRow row: Int) -> UnsafeRawBufferPointer? {
        if PQgetisnull(result, Int32(row), Int32(column)) == 1 { return nil }
        let count = Int(PQgetlength(result, Int32(row), Int32(column)))
        return UnsafeRawBufferPointer(start: PQgetvalue(result, Int32(row), Int32(column)), count: count)
    }
}
