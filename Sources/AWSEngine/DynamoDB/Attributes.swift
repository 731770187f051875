import EventStore

/// How DynamoDB's JSON writes values: each in an object whose key tells its type.
extension JSONWriter {
    /// Writes an attribute that is a string.
    mutating func attribute(_ name: String, text: String) {
        member(name) { $0.object { $0.member("S", text) } }
    }

    /// Writes an attribute that is a whole number.
    mutating func attribute(_ name: String, number: some BinaryInteger) {
        member(name) { $0.object { $0.member("N", String(number)) } }
    }

    /// Writes an attribute of bytes.
    mutating func attribute(_ name: String, bytes: [UInt8]) {
        member(name) { $0.object { $0.member("B") { $0.base64(bytes) } } }
    }

    /// Writes an attribute that is a map, whose attributes `content` writes.
    mutating func attribute(_ name: String, _ content: (inout JSONWriter) -> Void) {
        member(name) { $0.object { $0.member("M") { $0.object(content) } } }
    }
}

/// An item of a table, as an answer or a change stream holds it.
struct Item: Sendable {
    let value: JSONValue

    /// The item of a table is damaged: an attribute is missing, or of another type.
    struct Damage: Error {
        let attribute: String
    }

    func text(_ name: String) throws(Damage) -> String {
        guard let text = value[name]?["S"]?.text else { throw Damage(attribute: name) }
        return text
    }

    func number(_ name: String) throws(Damage) -> Int64 {
        guard let number = value[name]?["N"]?.text.flatMap({ Int64($0) }) else { throw Damage(attribute: name) }
        return number
    }

    func bytes(_ name: String) throws(Damage) -> [UInt8] {
        guard let bytes = value[name]?["B"]?.text.flatMap({ Base64.decode($0) }) else { throw Damage(attribute: name) }
        return bytes
    }

    /// The attributes of bytes in a map; none where there is no map.
    func bytesByName(_ name: String) throws(Damage) -> [String: [UInt8]] {
        guard let map = value[name]?["M"] else { return [:] }
        guard case .object(let members) = map else { throw Damage(attribute: name) }
        var content: [String: [UInt8]] = [:]
        for member in members {
            guard let bytes = member.value["B"]?.text.flatMap({ Base64.decode($0) }) else {
                throw Damage(attribute: "\(name).\(member.key)")
            }
            content[member.key] = bytes
        }
        return content
    }

    /// What an attribute's string writes.
    func value<Value>(_ name: String, _ read: (String) -> Value?) throws(Damage) -> Value {
        guard let value = read(try text(name)) else { throw Damage(attribute: name) }
        return value
    }

    /// What `read` gives where there is one of some attributes that belong together; nil where there is none of them.
    func ifAny<Value>(_ names: String..., read: () throws(Damage) -> Value) throws(Damage) -> Value? {
        names.allSatisfy { value[$0] == nil } ? nil : try read()
    }

    /// What `read` gives where there is such an attribute; nil where there is none.
    func ifPresent<Value>(_ name: String, _ read: (String) throws(Damage) -> Value) throws(Damage) -> Value? {
        value[name] == nil ? nil : try read(name)
    }
}
