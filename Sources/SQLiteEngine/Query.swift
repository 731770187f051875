import GRDB

/// A SELECT whose conditions depend on the filter. Its text comes from this module alone; values are arguments.
struct Query {
    var sql: String
    var arguments: StatementArguments = []
    private var hasCondition = false

    init(_ sql: String) { self.sql = sql }

    /// Adds a condition with one argument; nothing where there is no argument.
    mutating func require(_ condition: String, _ argument: (any DatabaseValueConvertible)?) {
        guard let argument else { return }
        add(condition)
        arguments += [argument]
    }

    /// Adds a condition with two arguments.
    mutating func require(
        _ condition: String, _ first: any DatabaseValueConvertible, _ second: any DatabaseValueConvertible
    ) {
        add(condition)
        arguments += [first, second]
    }

    /// Adds the condition that a column has one of some values.
    mutating func require(_ column: String, in values: [some DatabaseValueConvertible]) {
        // One JSON array would need one argument, but blobs have no JSON: SQLite takes up to 32,766 arguments.
        add("\(column) IN (\(repeatElement("?", count: values.count).joined(separator: ", ")))")
        arguments += StatementArguments(values)
    }

    private mutating func add(_ condition: String) {
        sql += hasCondition ? " AND \(condition)" : " WHERE \(condition)"
        hasCondition = true
    }
}
