import CPostgres

/// A statement and its parameters, to be sent among others.
package struct PostgresStatement: Sendable {
    let sql: String
    let parameters: [PostgresValue]

    package init(_ sql: String, _ parameters: [PostgresValue] = []) { (self.sql, self.parameters) = (sql, parameters) }
}

extension PostgresSession {
    /// Runs statements one after the other with a single wait for all of them.
    ///
    /// Outside of a transaction they are one: when one fails, none of them has happened. All are parsed before the
    /// first is run, so none can use a table that another makes.
    /// - Parameter read: takes each row, with the index of its statement. What it throws is thrown when all
    ///   statements have run, and undoes nothing by itself.
    /// - Returns: how many rows each statement has written or given.
    /// - Throws: the failure of the first statement that failed.
    @discardableResult
    package func pipeline(
        _ statements: [PostgresStatement], _ read: (Int, PostgresRow) throws -> Void = { _, _ in }
    ) throws -> [Int] {
        let bound = try statements.map { statement in
            let prepared = try prepare(statement.sql)
            return (prepared.name, try BoundParameters(statement.parameters, as: prepared.parameters))
        }
        try ready()
        if bound.isEmpty { return [] }
        return try doubting(if: isOutsideTransaction) {
            guard PQenterPipelineMode(wire.connection) == 1 else { throw sendFailure() }
            do {
                for (name, parameters) in bound where parameters.send(name, on: wire.connection) != 1 {
                    throw sendFailure()
                }
                guard PQpipelineSync(wire.connection) == 1 else { throw sendFailure() }
                return try collectPipeline(bound.count, read)
            } catch {
                // Whatever is left unread would be taken for the answer to the next statement.
                if PQpipelineStatus(wire.connection) != PQ_PIPELINE_OFF { wire.abandon() }
                throw error
            }
        }
    }

    private func collectPipeline(_ count: Int, _ read: (Int, PostgresRow) throws -> Void) throws -> [Int] {
        var affected: [Int] = []
        var failure: PostgresError?
        var refusal: (any Error)?
        for index in 0..<count {
            let deadline = deadline
            var rows = 0
            while let answer = try wire.nextResult(until: deadline) {
                if failure == nil { failure = answer.failure }
                rows = answer.affected
                guard answer.status == PGRES_TUPLES_OK, refusal == nil else { continue }
                do {
                    for row in 0..<answer.rowCount { try read(index, PostgresRow(answer, row: row)) }
                } catch { refusal = error }
            }
            if let failure, failure.isConnectionLost { throw note(failure) }
            affected.append(rows)
        }
        // The mark after the last statement.
        guard try wire.nextResult(until: deadline)?.status == PGRES_PIPELINE_SYNC,
            PQexitPipelineMode(wire.connection) == 1
        else { throw sendFailure() }
        if let failure { throw note(failure) }
        if let refusal { throw refusal }
        return affected
    }
}
