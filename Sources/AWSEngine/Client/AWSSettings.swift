import EventStore

/// Where AWS is: region, endpoints, attempts. Read from the environment and the profile files as the AWS SDKs do.
package struct AWSSettings: Sendable {
    package let region: String
    private let endpoints: [AWSProduct: String]
    private let attempts: Int?
    /// A file of certificates to trust, `AWS_CA_BUNDLE`.
    package let certificates: String?

    /// - Throws: `misconfigured` when no region is set, or a setting has a wrong value.
    package init(environment: [String: String]) throws(AWSError) {
        let profile = Profiles(environment: environment).chosen
        func fail(_ message: String) -> AWSError { AWSError(.misconfigured, .sts, "settings", message: message) }
        guard
            let region = environment.filled("AWS_REGION") ?? environment.filled("AWS_DEFAULT_REGION")
                ?? profile["region"]
        else { throw fail("no AWS region is set: set AWS_REGION, for example to us-east-1") }
        guard region.utf8.allSatisfy({ $0 == 0x2D || $0.isDigit || (0x61...0x7A).contains($0) }) else {
            throw fail("AWS_REGION is no name of a region: set it, for example, to us-east-1")
        }
        self.region = region
        endpoints = try Self.endpoints(environment, profile, fail)
        let stated = environment.filled("AWS_MAX_ATTEMPTS") ?? profile["max_attempts"]
        attempts = try stated.map { text throws(AWSError) in
            guard let count = Int(text), count >= 1 else { throw fail("AWS_MAX_ATTEMPTS is no number from 1 on") }
            return count
        }
        certificates = environment.filled("AWS_CA_BUNDLE") ?? profile["ca_bundle"]
    }

    private static func endpoints(
        _ environment: [String: String], _ profile: [String: String], _ fail: (String) -> AWSError
    ) throws(AWSError) -> [AWSProduct: String] {
        if environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"]?.lowercased() == "true" { return [:] }
        var endpoints: [AWSProduct: String] = [:]
        for product in AWSProduct.allCases {
            let variable = "AWS_ENDPOINT_URL_\(product.variableSuffix)"
            guard
                let url = environment.filled(variable) ?? environment.filled("AWS_ENDPOINT_URL")
                    ?? profile["endpoint_url"]
            else { continue }
            guard url.hasPrefix("http://") || url.hasPrefix("https://"), !url.contains("?"), !url.contains("@") else {
                throw fail("\(variable) or AWS_ENDPOINT_URL is no http or https address")
            }
            endpoints[product] = url.hasSuffix("/") ? url : url + "/"
        }
        return endpoints
    }

    /// The address of a product.
    func url(of product: AWSProduct) -> String { endpoints[product] ?? product.url(in: region) }

    /// How often a call is made at most. DynamoDB answers fast, and so may be asked once more than others.
    func maximumAttempts(of product: AWSProduct) -> Int {
        attempts ?? ([.dynamoDB, .streams].contains(product) ? 4 : 3)
    }
}

extension [String: String] {
    /// The value of a variable; nil where it is not set, or set to nothing.
    func filled(_ name: String) -> String? { self[name].flatMap { $0.isEmpty ? nil : $0 } }
}
