import CPostgres

extension PostgresSession {
    /// Copies rows into a table, the fastest way in: all of them, or none. What the writer's rows take to make counts
    /// as the statement's time, which `limitStatements` may lengthen.
    ///
    /// - Parameters:
    ///   - target: the table and its columns, as in `ledger.entries (position, entry)`. It is no place for text from
    ///     outside.
    ///   - write: gives the rows to the writer. When it throws, nothing is copied.
    /// - Returns: how many rows were copied.
    @discardableResult
    package func copyIn(_ target: String, _ write: (CopyWriter) throws -> Void) throws -> Int {
        let types = try columnTypes(of: target)
        let isAlone = isOutsideTransaction
        _ = try exchange(changesNothing: true) {
            PQsendQuery(wire.connection, "COPY \(target) FROM STDIN (FORMAT binary)")
        }
        let writer = CopyWriter(types) { try self.put($0) }
        do {
            try write(writer)
            try writer.finish()
        } catch {
            stopCopy()
            throw error
        }
        // Up to here nothing can have been kept.
        return try doubting(if: isAlone) {
            try endCopy(failure: nil)
            return try collect().affected
        }
    }

    /// The types of the columns that a copy writes, as the server names them for a query of the same columns.
    private func columnTypes(of target: String) throws -> [PostgresType] {
        if let types = copyTypes[target] { return types }
        let parts = target.split(separator: "(", maxSplits: 1)
        let columns = parts.count == 2 ? String(parts[1].prefix { $0 != ")" }) : "*"
        let types = try describe("SELECT \(columns) FROM \(parts.first ?? "")", name: "").columnTypes
        copyTypes[target] = types
        return types
    }

    private func put(_ bytes: [UInt8]) throws {
        let deadline = deadline
        try repeatUntilTaken(deadline) {
            bytes.withUnsafeBytes {
                PQputCopyData(wire.connection, $0.baseAddress?.assumingMemoryBound(to: CChar.self), Int32($0.count))
            }
        }
        // libpq would keep in memory whatever the server is too slow for.
        while PQflush(wire.connection) == 1 { try waitForRoom(deadline) }
        // A broken connection is noticed here, while it is certain that nothing was kept.
        if PQconsumeInput(wire.connection) == 0 { throw sendFailure() }
    }

    private func endCopy(failure: String?) throws {
        try repeatUntilTaken(deadline) { PQputCopyEnd(wire.connection, failure) }
    }

    private func repeatUntilTaken(_ deadline: Deadline, _ send: () -> Int32) throws {
        while true {
            switch send() {
            case 1: return
            case 0: try waitForRoom(deadline)
            default: throw sendFailure()
            }
        }
    }

    private func waitForRoom(_ deadline: Deadline) throws {
        try wire.wait(writing: true, until: deadline)
        if PQconsumeInput(wire.connection) == 0 { throw sendFailure() }
    }

    /// Tells the server to throw away what was copied.
    private func stopCopy() {
        guard !wire.isBroken, PQtransactionStatus(wire.connection) == PQTRANS_ACTIVE else { return }
        do {
            try endCopy(failure: "the writer stopped")
            while try wire.nextResult(until: deadline) != nil {}
        } catch {
            wire.abandon()
        }
    }
}
