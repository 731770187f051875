/// A type of the server, by its object identifier (`pg_type.dat` of PostgreSQL's sources).
package struct PostgresType: Hashable, Sendable {
    package let oid: UInt32

    package static let bool = PostgresType(oid: 16)
    package static let bytes = PostgresType(oid: 17)
    package static let int8 = PostgresType(oid: 20)
    package static let int2 = PostgresType(oid: 21)
    package static let int4 = PostgresType(oid: 23)
    package static let text = PostgresType(oid: 25)
    static let oid = PostgresType(oid: 26)
    package static let json = PostgresType(oid: 114)
    static let float8 = PostgresType(oid: 701)
    package static let date = PostgresType(oid: 1082)
    package static let moment = PostgresType(oid: 1184)
    package static let uuid = PostgresType(oid: 2950)
    package static let jsonb = PostgresType(oid: 3802)

    /// PostgreSQL counts days and microseconds from 2000-01-01.
    static let epochDays = 10_957
    static let epochMilliseconds: Int64 = 946_684_800_000

    private static let names: [UInt32: String] = [
        16: "boolean", 17: "bytea", 18: "\"char\"", 19: "name", 20: "bigint", 21: "smallint", 23: "integer", 25: "text",
        26: "oid", 114: "json", 701: "double precision", 1042: "character", 1043: "character varying", 1082: "date",
        1114: "timestamp without time zone", 1184: "timestamptz", 1186: "interval", 1700: "numeric", 2950: "uuid",
        3802: "jsonb",
    ]

    /// The types of the elements, by the types of arrays.
    private static let elements: [UInt32: UInt32] = [
        1000: 16, 1001: 17, 1005: 21, 1007: 23, 1009: 25, 1015: 1043, 1016: 20, 1182: 1082, 1185: 1184, 199: 114,
        2951: 2950, 3807: 3802,
    ]

    /// The first identifier that is not the server's own: enumerations and domains of the schema.
    private static let firstOfSchema: UInt32 = 16_384

    /// The type of an array's elements; nil for what is no array that can be written here.
    var element: PostgresType? { Self.elements[oid].map(PostgresType.init(oid:)) }

    /// Whether its binary form is the text itself.
    var isText: Bool {
        switch oid {
        case 18, 19, 25, 705, 1042, 1043: true
        default: oid >= Self.firstOfSchema
        }
    }
}

extension PostgresType: CustomStringConvertible {
    /// The name that a statement would cast to, as far as it is known.
    package var description: String {
        Self.names[oid] ?? element.map { "\($0)[]" } ?? "number \(oid) of pg_type"
    }
}
