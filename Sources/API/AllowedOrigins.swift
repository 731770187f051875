/// The web origins whose pages may read the API's answers (CORS).
package struct AllowedOrigins: Equatable, Sendable {
    /// Nil for any.
    private let names: [String]?

    /// Any origin: keys, not origins, are what lets somebody in.
    package static let any = AllowedOrigins(nil)

    /// - Parameter list: origins with commas between them, such as `https://portal.example`; nothing or `*` for any.
    package init(_ list: String?) {
        let parts = (list ?? "*").split(whereSeparator: { $0 == "," || $0 == " " }).map(String.init)
        names = parts.isEmpty || parts.contains("*") ? nil : parts
    }

    /// The headers that tell a browser whether a page of an origin may read the answer.
    func headers(to origin: String?) -> [(String, String)] {
        guard let names else { return [("Access-Control-Allow-Origin", "*")] }
        // What is cached for one origin is not for another.
        let varying = [("Vary", "Origin")]
        guard let origin, names.contains(origin) else { return varying }
        return [("Access-Control-Allow-Origin", origin)] + varying
    }
}
