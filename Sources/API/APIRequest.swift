import EventStore

/// A request to the API, whatever carried it.
package struct APIRequest: Sendable {
    package var method: String
    /// The path as it was sent, still percent-encoded.
    package var path: String
    /// What followed the question mark as it was sent; empty where nothing did.
    package var query: String
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    /// The address of the caller, without a port.
    package var remoteAddress: String
    package var requestID: String

    package init(
        method: String, path: String, query: String = "", headers: [(name: String, value: String)] = [],
        body: [UInt8] = [], remoteAddress: String, requestID: String
    ) {
        (self.method, self.path, self.query, self.headers) = (method, path, query, headers)
        (self.body, self.remoteAddress, self.requestID) = (body, remoteAddress, requestID)
    }

    /// The value of a header; nil where there is none.
    ///
    /// - Throws: a problem when it was sent more than once, or its value holds control characters.
    func header(_ name: StaticString) throws(Problem) -> String? {
        var found: String?
        for (candidate, value) in headers where candidate.hasSameLetters(as: name) {
            guard found == nil, value.utf8.allSatisfy({ ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }) else {
                throw .invalid(
                    name.description, .validationFailed,
                    found == nil ? "Header holds control characters" : "Header was sent more than once")
            }
            found = value
        }
        return found
    }

    /// All values of a header that may be sent more than once, as a list may.
    func fields(_ name: StaticString) throws(Problem) -> [String] {
        let values = headers.filter { $0.name.hasSameLetters(as: name) }.map(\.value)
        guard values.allSatisfy({ $0.utf8.allSatisfy { ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 } }) else {
            throw .invalid(name.description, .validationFailed, "Header holds control characters")
        }
        return values
    }

    /// Whether the caller is on this machine.
    package var isLoopback: Bool {
        remoteAddress == "::1" || remoteAddress.hasPrefix("127.") || remoteAddress.hasPrefix("::ffff:127.")
    }
}

/// The answer to a request.
package struct APIResponse: Sendable {
    package var status: Int
    package var headers: [(String, String)]
    package var body: [UInt8]

    package init(status: Int = 200, headers: [(String, String)] = [], body: [UInt8] = []) {
        (self.status, self.headers, self.body) = (status, headers, body)
    }

    /// An answer in JSON.
    static func json(_ status: Int = 200, capacity: Int = 512, _ content: (inout JSONWriter) -> Void) -> APIResponse {
        var writer = JSONWriter(reservingCapacity: capacity)
        writer.object(content)
        return APIResponse(status: status, headers: [("Content-Type", "application/json")], body: writer.bytes)
    }

    /// The value of a header; nil where there is none.
    package func header(_ name: StaticString) -> String? {
        headers.first { $0.0.hasSameLetters(as: name) }?.1
    }
}

extension String {
    /// Whether two texts are the same but for the case of ASCII letters, as names of headers are compared.
    func hasSameLetters(as name: StaticString) -> Bool {
        guard utf8.count == name.utf8CodeUnitCount else { return false }
        return zip(utf8, UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)).allSatisfy {
            $0 == $1 || ($0 ^ $1 == 0x20 && $0.isLetter)
        }
    }
}
