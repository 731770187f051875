import EventStore
import HTTPClient

/// The bodies of the query protocol, and what is read of its answers.
enum Form {
    /// Writes parameters as `application/x-www-form-urlencoded`: all but RFC 3986's unreserved characters is escaped.
    static func encode(_ parameters: [(name: String, value: String)]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (place, parameter) in parameters.enumerated() {
            if place > 0 { bytes.append(UInt8(ascii: "&")) }
            PercentEncoding.append(parameter.name, to: &bytes)
            bytes.append(UInt8(ascii: "="))
            PercentEncoding.append(parameter.value, to: &bytes)
        }
        return bytes
    }
}

/// The XML of an answer. Only texts of elements without attributes are read: AWS's answers need no more.
struct XMLText: Sendable {
    private let text: String

    init(_ bytes: [UInt8]) { text = String(decoding: bytes, as: UTF8.self) }

    /// The text of the first element of a name; nil where there is none.
    subscript(name: String) -> String? {
        guard let start = text.firstRange(of: "<\(name)>"),
            let end = text[start.upperBound...].firstRange(of: "</\(name)>")
        else { return nil }
        let escaped = text[start.upperBound..<end.lowerBound]
        // The ampersand comes last, or `&amp;lt;` would become `<`.
        return [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")]
            .reduce(String(escaped)) { $0.replacing($1.0, with: $1.1) }
    }
}
