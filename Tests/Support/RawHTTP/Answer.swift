package import EventStore

extension StringProtocol {
    /// The text without what chance fills with digits: numbers with a fraction, and UUIDs.
    package var withoutChance: String {
        String(self).replacing(#/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/#, with: " ")
            .replacing(#/[0-9]+\.[0-9]+(?:e-?[0-9]+)?/#, with: " ")
    }
}

/// An answer, as tests look at it.
package struct Answer: Sendable {
    package let status: Int
    package let headers: [(String, String)]
    package let body: [UInt8]

    /// The body as text.
    package var text: String { String(decoding: body, as: UTF8.self) }

    /// The body as JSON.
    package var json: JSONValue {
        get throws { try JSONValue(body) }
    }

    /// The value of a header field, whatever the case of its name.
    package func header(_ name: String) -> String? { headers.first { $0.0.lowercased() == name.lowercased() }?.1 }

    /// The value at a path of keys.
    ///
    /// - Throws: `MissingValue` when there is none.
    package func value(_ keys: String...) throws -> JSONValue {
        try find(keys)
    }

    /// The text at a path of keys.
    ///
    /// - Throws: `MissingValue` when there is none.
    package func text(_ keys: String...) throws -> String {
        guard let text = try find(keys).text else { throw MissingValue(path: keys, body: text) }
        return text
    }

    private func find(_ keys: [String]) throws -> JSONValue {
        try keys.reduce(try json) { value, key in
            guard let member = value[key] else { throw MissingValue(path: keys, body: text) }
            return member
        }
    }

    /// The `errorCode` of a problem.
    package var errorCode: String? { try? text("error", "errorCode") }

    /// The codes of what is wrong with a field.
    package func codes(_ field: String) -> [String] {
        guard case .array(let issues)? = try? value("error", "fields", field) else { return [] }
        return issues.compactMap { $0["code"]?.text }
    }
}

/// An answer lacks a value that a test looks for.
package struct MissingValue: Error {
    let path: [String]
    let body: String
}

extension Answer {
    /// An answer from its parts.
    package init(status: Int, headers: [(name: String, value: String)], content: [UInt8]) {
        self.init(status: status, headers: headers.map { ($0.name, $0.value) }, body: content)
    }
}

/// A `POST /appointments` with a body, as bytes.
package func post(_ body: [UInt8], headers: String = "Content-Type: application/json\r\n") -> [UInt8] {
    Array("POST /appointments HTTP/1.1\r\nHost: localhost\r\n\(headers)Content-Length: \(body.count)\r\n\r\n".utf8)
        + body
}

/// A request without a body, as bytes.
package func request(_ line: String, headers: String = "") -> [UInt8] {
    Array("\(line) HTTP/1.1\r\nHost: localhost\r\n\(headers)\r\n".utf8)
}

/// Sends some bytes over a new connection and gives the first answer.
package func exchange(_ port: Int, _ bytes: [UInt8]) async throws -> Answer? {
    try await onThread {
        let client = try RawClient(port: port)
        client.send(bytes)
        return client.answer()
    }
}
