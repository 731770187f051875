/// The sealed fields of an event as engines keep them next to the entry: one JSON object of base64, by field.
package enum SealedJSON {
    /// The object; nil where nothing is sealed.
    package static func encode(_ sealed: [String: [UInt8]]) -> [UInt8]? {
        if sealed.isEmpty { return nil }
        var writer = JSONWriter()
        writer.object {
            for (field, bytes) in sealed.sorted(by: { $0.key < $1.key }) {
                $0.key(field)
                $0.base64(bytes)
            }
        }
        return writer.bytes
    }

    /// The sealed bytes of each field.
    ///
    /// - Throws: `JSONError` for what is no such object.
    package static func decode(_ json: [UInt8]) throws(JSONError) -> [String: [UInt8]] {
        var sealed: [String: [UInt8]] = [:]
        try JSONReader.read(json) { reader throws(JSONError) in
            try reader.object { field, reader throws(JSONError) in
                sealed[field] = try reader.value("base64", Base64.decode(utf8:))
            }
        }
        return sealed
    }
}
