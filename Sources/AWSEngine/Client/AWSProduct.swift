/// The products of AWS that are called, and how their wire protocols differ.
package enum AWSProduct: String, CaseIterable, Sendable {
    case dynamoDB = "dynamodb"
    case streams = "dynamodb-streams"
    case sns
    case sqs
    case eventBridge = "eventbridge"
    case kms
    case ssm
    case sts

    /// The name in the credential scope of a signature.
    var signingName: String {
        switch self {
        case .dynamoDB, .streams: "dynamodb"
        case .sns: "sns"
        case .sqs: "sqs"
        case .eventBridge: "events"
        case .kms: "kms"
        case .ssm: "ssm"
        case .sts: "sts"
        }
    }

    /// The first label of the host's name.
    private var hostPrefix: String {
        switch self {
        case .streams: "streams.dynamodb"
        default: signingName
        }
    }

    /// The address in a region.
    func url(in region: String) -> String {
        "https://\(hostPrefix).\(region).amazonaws.com\(region.hasPrefix("cn-") ? ".cn" : "")/"
    }

    /// What the variable `AWS_ENDPOINT_URL_…` of this product ends with.
    var variableSuffix: String {
        switch self {
        case .dynamoDB: "DYNAMODB"
        case .streams: "DYNAMODB_STREAMS"
        case .sns: "SNS"
        case .sqs: "SQS"
        case .eventBridge: "EVENTBRIDGE"
        case .kms: "KMS"
        case .ssm: "SSM"
        case .sts: "STS"
        }
    }

    /// How an operation and its parameters are written.
    enum WireProtocol {
        /// JSON with the operation in `x-amz-target` after a prefix.
        case json(version: String, prefix: String)
        /// A form with the operation in `Action`; the answer is XML.
        case query(version: String)
    }

    var wireProtocol: WireProtocol {
        switch self {
        case .dynamoDB: .json(version: "1.0", prefix: "DynamoDB_20120810")
        case .streams: .json(version: "1.0", prefix: "DynamoDBStreams_20120810")
        case .sqs: .json(version: "1.0", prefix: "AmazonSQS")
        case .eventBridge: .json(version: "1.1", prefix: "AWSEvents")
        case .kms: .json(version: "1.1", prefix: "TrentService")
        case .ssm: .json(version: "1.1", prefix: "AmazonSSM")
        case .sns: .query(version: "2010-03-31")
        case .sts: .query(version: "2011-06-15")
        }
    }
}
