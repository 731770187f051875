import API
import EventStore
import RawHTTP
import Testing
import Yams

/// The specification says what the API does.
@Suite struct SpecificationTests {
    /// The document as the server gives it out.
    private func document() async throws -> Schema {
        let answer = try await World().send("GET", "/openapi.yaml")
        #expect(answer.header("Content-Type") == "application/yaml; charset=utf-8")
        return Schema(try #require(try Yams.compose(yaml: answer.text)))
    }

    // HEAD is beside every GET, and OPTIONS at each path.
    @Test("every route is in the specification, and nothing else is")
    func routes() async throws {
        let paths = try await document()["paths"]
        var operations: Set<String> = []
        for path in try #require(paths).keys {
            for method in try #require(paths?[path]).keys { operations.insert("\(method.uppercased()) \(path)") }
        }
        var wanted: Set<String> = []
        for route in Route.allCases {
            wanted.formUnion([route.rawValue, "OPTIONS \(route.template)"])
            if route.method == "GET" { wanted.insert("HEAD \(route.template)") }
        }
        #expect(operations == wanted)
    }

    @Test("every answer that the specification describes has the headers that each answer has")
    func headers() async throws {
        let document = try await document()
        for path in try #require(document["paths"]).keys {
            let methods = try #require(document["paths"]?[path])
            for method in methods.keys {
                let responses = try #require(methods[method]?["responses"])
                for status in responses.keys {
                    let headers = responses[status]?.resolved(in: document)?["headers"]?.keys ?? []
                    #expect(headers.contains("X-Request-Id"), "\(method) \(path) \(status)")
                    #expect(headers.contains("X-Correlation-Id"), "\(method) \(path) \(status)")
                    if status == "401" { #expect(headers.contains("WWW-Authenticate"), "\(method) \(path)") }
                    if status == "429" || status == "503" {
                        #expect(headers.contains("Retry-After"), "\(method) \(path)")
                    }
                }
            }
        }
    }

    @Test("each operation lists the statuses that its route can give", arguments: Route.allCases)
    func statuses(route: Route) async throws {
        let operation = try await document()["paths"]?[route.template]?[route.method.lowercased()]
        var wanted: Set<String> = [route == .requestAppointment ? "201" : "200"]
        switch route.audience {
        case .open: wanted.formUnion(["400", "429"])
        case .roles: wanted.formUnion(["400", "401", "403", "429", "500", "503"])
        }
        switch route {
        case .requestAppointment: wanted.formUnion(["413", "415", "422"])
        case .appointment, .history, .checkpoint, .logKey, .tile, .logProof, .logHistory: wanted.insert("404")
        case .ready: wanted.insert("503")
        default: break
        }
        #expect(Set(try #require(operation?["responses"]).keys) == wanted.union(["default"]))
    }

    @Test("a route takes the query parameters that it documents and no other", arguments: Route.allCases)
    func parameters(route: Route) async throws {
        let document = try await document()
        var all: Set<String> = []
        for other in Route.allCases { all.formUnion(document.queryParameters(of: other)) }
        #expect(all.count > 15)
        let documented = document.queryParameters(of: route)
        let path = route.template.replacing("{insuredId}", with: "00123")
            .replacing("{appointmentId}", with: UUIDs.some).replacing("{version}", with: "1")
            .replacing("{level}", with: "0").replacing("{index}", with: "000")
        for name in all {
            let answer = try await World().send(route.method, "\(path)?\(name)=%20")
            #expect(answer.codes(name) == ["INVALID_QUERY_PARAM"], "\(name)")
            let isUnknown = answer.text.contains(#""\#(name)":[{"message":"Unknown query parameter""#)
            #expect(isUnknown == !documented.contains(name), "\(name)")
        }
    }

    @Test("the codes of errors and fields are all in the specification")
    func codes() async throws {
        let error = try await document()["components"]?["schemas"]?["Problem"]?["properties"]?["error"]?["properties"]
        #expect(error?["errorCode"]?["enum"]?.texts == Problem.Code.allCases.map(\.rawValue))
        let field = error?["fields"]?["additionalProperties"]?["items"]?["properties"]?["code"]
        #expect(field?["enum"]?.texts == Problem.FieldCode.allCases.map(\.rawValue))
    }

    @Test("the schema of a request takes and refuses what the server does")
    func requests() async throws {
        let document = try await document()
        let schema = try #require(document["components"]?["schemas"]?["AppointmentRequest"])
        #expect(schema.accepts(try JSONValue(Array(World.request.utf8)), in: document))
        var compared = 0
        for sample in BadInputTests.bodies {
            let body = sample.bytes.split(separator: Array("\r\n\r\n".utf8), maxSplits: 1)
            // What is no JSON, or has a key twice, is beyond what a schema can say.
            guard body.count == 2, let value = try? JSONValue(Array(body[1])) else { continue }
            #expect(!schema.accepts(value, in: document), "\(sample.name)")
            compared += 1
        }
        #expect(compared > 15)
    }

    @Test("answers have the shape that the specification gives them")
    func answers() async throws {
        let world = try World()
        let document = try await document()
        let id = try await world.ask()
        try await world.complete(id)
        let samples = [
            ("GET", "/appointments/00123", "PersonAppointments"),
            ("GET", "/appointments?status=completed", "AppointmentPage"),
            ("GET", "/appointments/00123/\(id)", "Appointment"), ("GET", "/appointments/00123/\(id)/events", "History"),
            ("GET", "/audit/events?include=entry", "AuditPage"), ("GET", "/audit/events", "AuditPage"),
            ("GET", "/health/ready", "Readiness"), ("GET", "/nothing", "Problem"),
            ("GET", "/appointments/1", "Problem"),
            ("POST", "/appointments", "AppointmentCreated"),
        ]
        for (method, target, name) in samples {
            let answer = try await world.send(method, target, body: method == "POST" ? World.request : "")
            let schema = try #require(document["components"]?["schemas"]?[name])
            #expect(schema.accepts(try answer.json, in: document), "\(target) is no \(name): \(answer.text)")
        }
    }
}

/// A part of the document, and the few words of JSON Schema that it uses.
struct Schema {
    private let node: Node

    init(_ node: Node) { self.node = node }

    /// A key in quotes that looks like a number, such as a status, is found by its text alone.
    subscript(key: String) -> Schema? { node.mapping?.first { $0.key.string == key }.map { Schema($0.value) } }

    var keys: [String] { node.mapping?.keys.compactMap(\.string) ?? [] }
    var texts: [String] { node.sequence?.compactMap(\.string) ?? [] }

    /// The names of a route's parameters in the query.
    func queryParameters(of route: Route) -> Set<String> {
        let operation = self["paths"]?[route.template]?[route.method.lowercased()]
        let parameters = operation?["parameters"]?.node.sequence.map { $0.map(Schema.init) } ?? []
        return Set(
            parameters.compactMap { parameter in
                let parameter = parameter.resolved(in: self)
                return parameter?["in"]?.node.string == "query" ? parameter?["name"]?.node.string : nil
            })
    }

    /// What a reference stands for; the part itself when it is none.
    func resolved(in document: Schema) -> Schema? {
        guard let reference = self["$ref"]?.node.string else { return self }
        return reference.split(separator: "/").dropFirst().reduce(document) { $0?[String($1)] }
    }

    /// Whether a value is what the schema describes.
    func accepts(_ value: JSONValue, in document: Schema) -> Bool {
        if self["$ref"] != nil { return resolved(in: document)?.accepts(value, in: document) ?? false }
        let types = self["type"].map { $0.node.string.map { [$0] } ?? $0.texts } ?? []
        guard types.isEmpty || types.contains(where: { Self.type($0, has: value) }) else { return false }
        if let text = value.text {
            if let allowed = self["enum"]?.texts, !allowed.contains(text) { return false }
            if let constant = self["const"]?.node.string, constant != text { return false }
            if let pattern = self["pattern"]?.node.string, (try? Regex(pattern).wholeMatch(in: text)) == nil {
                return false
            }
        }
        if let number = value.whole {
            if let minimum = self["minimum"]?.node.int, number < minimum { return false }
            if let maximum = self["maximum"]?.node.int, number > maximum { return false }
        }
        if case .array(let elements) = value, let items = self["items"] {
            return elements.allSatisfy { items.accepts($0, in: document) }
        }
        if case .object(let members) = value { return acceptsMembers(members, in: document) }
        return true
    }

    private func acceptsMembers(_ members: [(key: String, value: JSONValue)], in document: Schema) -> Bool {
        let required = self["required"]?.texts ?? []
        guard required.allSatisfy({ name in members.contains { $0.key == name } }) else { return false }
        return members.allSatisfy { member in
            if let schema = self["properties"]?[member.key] { return schema.accepts(member.value, in: document) }
            guard let others = self["additionalProperties"] else { return true }
            return others.node.bool ?? others.accepts(member.value, in: document)
        }
    }

    private static func type(_ name: String, has value: JSONValue) -> Bool {
        switch (name, value) {
        case ("null", .null), ("boolean", .boolean), ("integer", .integer), ("string", .string), ("array", .array),
            ("object", .object):
            true
        default: false
        }
    }
}
