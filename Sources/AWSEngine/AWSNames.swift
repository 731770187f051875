package import Handlers

/// What the ledger's parts are called in an account, and where they are: from the variables that the deployment sets.
/// Without a variable a part has its plain name.
package struct AWSNames: Sendable {
    package let tables: DynamoDBTables
    /// The name or the URL of each queue.
    let queues: [QueueName: String]
    /// The ARNs of topics, where they are known.
    let topics: [TopicName: String]
    /// The name or ARN of the event bus.
    let bus: String
    /// The KMS key that wraps the ledger's master key: an id, ARN or alias; nil where none is named.
    let key: String?
    /// The parameter that holds the secret of idempotency keys and cursors; nil for one of the master key's.
    let secretParameter: String?

    /// - Parameter environment: the variables of the process.
    package init(environment: [String: String] = [:]) {
        tables = DynamoDBTables(environment: environment)
        queues = QueueName.allCases.reduce(into: [:]) { queues, name in
            queues[name] = environment.filled(Self.variable(name)) ?? name.rawValue
        }
        topics = TopicName.allCases.reduce(into: [:]) { topics, name in
            topics[name] = environment.filled(Self.variable(name))
        }
        bus = environment.filled("EVENTBRIDGE_BUS_NAME") ?? "MedicalAppointmentsEventBus"
        key = environment.filled("KMS_KEY_ID")
        secretParameter = environment.filled("API_KEY_SECRET_NAME")
    }

    /// `APPOINTMENTS_PE_QUEUE_URL` for `appointments-pe`.
    private static func variable(_ queue: QueueName) -> String { variable(queue.rawValue) + "_QUEUE_URL" }

    private static func variable(_ topic: TopicName) -> String { variable(topic.rawValue) + "_TOPIC_ARN" }

    private static func variable(_ name: String) -> String {
        String(name.uppercased().map { $0 == "-" ? "_" : $0 })
    }

    /// The queue with this name in the account, as the last part of its ARN or URL; nil when it is none of the
    /// ledger's.
    package func queue(called name: String) -> QueueName? {
        queues.first { $0.value.split(separator: "/").last.map(String.init) == name }?.key
    }
}
