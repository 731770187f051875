package import EventStore

/// Lifts the stored `data` of one type of event from one shape to the next, when it is read. Nothing stored changes.
package struct Upcaster: Sendable {
    package let type: EventType
    /// The number of the shape that it reads; it gives the next one.
    package let schema: Int
    package let lift: @Sendable (JSONValue) -> JSONValue

    package init(type: EventType, schema: Int, lift: @escaping @Sendable (JSONValue) -> JSONValue) {
        (self.type, self.schema, self.lift) = (type, schema, lift)
    }

    /// All upcasters of today. None yet: every type is still in its first shape.
    package static let all: [Upcaster] = []

    /// The data of an event in the newest shape that the upcasters lead to.
    ///
    /// - Throws: `JSONError` for a shape that is newer than that, or that no upcaster lifts on.
    package static func lift(
        _ data: [UInt8], type: EventType, schema: Int, with upcasters: [Upcaster]
    ) throws(JSONError) -> [UInt8] {
        let chain = upcasters.filter { $0.type == type && $0.schema >= schema }.sorted { $0.schema < $1.schema }
        if chain.isEmpty {
            // A program that lifts to a shape knows that shape.
            let newest = upcasters.filter { $0.type == type }.map { $0.schema + 1 }.max() ?? 0
            guard schema <= max(Codec.schema(of: type), newest) else {
                throw JSONError("a newer shape than this program knows", at: 0)
            }
            return data
        }
        guard chain.map(\.schema) == Array(schema..<schema + chain.count) else {
            throw JSONError("no upcaster lifts this shape to the next", at: 0)
        }
        return chain.reduce(try JSONValue(data)) { $1.lift($0) }.bytes
    }
}
