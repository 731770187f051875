import API
import EventStore
import HTTPClient

extension APIRequest {
    /// Reads a request as API Gateway hands it on.
    ///
    /// API Gateway decodes paths and parameters; they are encoded again, so that this request is the one that the local
    /// server would have read. Nobody who comes through it is on this machine, whatever address it names.
    init(gateway event: JSONValue) throws(JSONError) {
        let context = event["requestContext"]
        guard let method = event["httpMethod"]?.text, let path = event["path"]?.text,
            let id = context?["requestId"]?.text
        else { throw JSONError("the request has no method, path or id", at: 0) }
        var body: [UInt8] = []
        if let text = event["body"]?.text {
            guard let bytes = event["isBase64Encoded"] == .boolean(true) ? Base64.decode(text) : Array(text.utf8) else {
                throw JSONError("the body of the request is no base64", at: 0)
            }
            body = bytes
        }
        let address = context?["identity"]?["sourceIp"]?.text ?? ""
        self.init(
            method: method, path: Self.encode(path, keeping: "/%"),
            query: Self.pairs(event, "multiValueQueryStringParameters", or: "queryStringParameters")
                .map { "\(Self.encode($0.name))=\(Self.encode($0.value))" }.joined(separator: "&"),
            headers: Self.pairs(event, "multiValueHeaders", or: "headers"), body: body, remoteAddress: address,
            requestID: id)
        if isLoopback { remoteAddress = "" }
    }

    /// The members of a map with many values a name, or of that with one where there is no such map.
    private static func pairs(
        _ event: JSONValue, _ many: String, or one: String
    ) -> [(name: String, value: String)] {
        if case .object(let members)? = event[many] {
            return members.flatMap { member in
                member.value.elements.compactMap { $0.text.map { (member.key, $0) } }
            }
        }
        guard case .object(let members)? = event[one] else { return [] }
        return members.compactMap { member in member.value.text.map { (member.key, $0) } }
    }

    private static func encode(_ text: String, keeping kept: String = "") -> String {
        var bytes: [UInt8] = []
        PercentEncoding.append(text, to: &bytes, keeping: kept)
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension APIResponse {
    /// The answer as API Gateway takes it. All bodies of the API are text.
    package var gatewayBytes: [UInt8] {
        var writer = JSONWriter(reservingCapacity: body.count + 1024)
        writer.object { writer in
            writer.member("statusCode", status)
            writer.member("multiValueHeaders") { writer in
                writer.object { writer in
                    for name in names {
                        writer.member(name) { writer in
                            writer.array { writer in
                                for header in headers where header.0 == name { writer.string(header.1) }
                            }
                        }
                    }
                }
            }
            writer.member("body", String(decoding: body, as: UTF8.self))
            writer.key("isBase64Encoded")
            writer.boolean(false)
        }
        return writer.bytes
    }

    /// The names of the headers, each once.
    private var names: [String] {
        headers.reduce(into: []) { names, header in if !names.contains(header.0) { names.append(header.0) } }
    }
}
