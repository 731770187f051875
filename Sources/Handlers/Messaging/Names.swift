package import Appointments
package import EventStore

/// The queues that handlers read, by their names on AWS and in the embedded ledger alike.
package enum QueueName: RawRepresentable, CaseIterable, Hashable, Sendable {
    /// The requests for a country's slots.
    case country(Country)
    case completion
    case error

    package static var peru: QueueName { .country(.peru) }
    package static var chile: QueueName { .country(.chile) }

    package static var allCases: [QueueName] { Country.allCases.map(Self.country) + [.completion, .error] }

    package init(of country: Country) { self = .country(country) }

    package init?(rawValue: String) {
        guard let name = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
        self = name
    }

    package var rawValue: String {
        switch self {
        case .country(let country): country.messagingName
        case .completion: "appointments-completion"
        case .error: "appointments-error"
        }
    }

    /// The country whose slots its messages are about; nil for the queues of all.
    package var country: Country? {
        switch self {
        case .country(let country): country
        case .completion, .error: nil
        }
    }

    /// The queue that takes what could not be handled.
    package var deadLetterName: String { rawValue + "-dlq" }
}

/// The topics that the router publishes to.
package enum TopicName: RawRepresentable, CaseIterable, Hashable, Sendable {
    /// Kept for compatibility; nothing is subscribed to it.
    case main
    case country(Country)

    package static var peru: TopicName { .country(.peru) }
    package static var chile: TopicName { .country(.chile) }

    package static var allCases: [TopicName] { [.main] + Country.allCases.map(Self.country) }

    package init(of country: Country) { self = .country(country) }

    package init?(rawValue: String) {
        guard let name = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
        self = name
    }

    package var rawValue: String {
        switch self {
        case .main: "appointments"
        case .country(let country): country.messagingName
        }
    }

    /// The queue that is subscribed to the topic.
    package var subscriber: QueueName? {
        switch self {
        case .main: nil
        case .country(let country): .country(country)
        }
    }
}

extension Country {
    /// What its topic and its queue are called.
    fileprivate var messagingName: String { "appointments-" + code.lowercased() }
}

/// How every queue behaves; the same numbers are set on the SQS queues.
package enum QueueSettings {
    /// How long a received message stays hidden from other receivers, in milliseconds. None is hidden for longer.
    package static let visibilityMilliseconds: Int64 = 180_000
    /// How long a message is kept, in milliseconds: 14 days.
    package static let retentionMilliseconds: Int64 = 14 * 86_400_000
    /// After this many receives without a delete a message becomes a dead letter.
    package static let maximumReceives = 3
    /// The most messages that one call receives.
    package static let batch = 10
    /// How long a receive waits for a message, in milliseconds.
    package static let longPollMilliseconds: Int64 = 20_000

    /// Until when a message is hidden that is hidden at some moment. What lies further ahead was written by a clock
    /// that was ahead, and hides nothing: no message waits longer than this, whatever the clock does.
    @Sendable package static func hidden(at now: Timestamp) -> ClosedRange<Timestamp> {
        now.adding(milliseconds: 1)...now.adding(milliseconds: visibilityMilliseconds)
    }

    /// When a message becomes visible that is hidden now for some milliseconds.
    package static func end(ofHidingFor milliseconds: Int64, at now: Timestamp) -> Timestamp {
        now.adding(milliseconds: min(max(milliseconds, 0), visibilityMilliseconds))
    }

    /// What was sent at this moment or earlier, waiting or dead, has been kept for the whole retention and is gone.
    package static func oldest(at now: Timestamp) -> Timestamp { now.adding(milliseconds: -retentionMilliseconds) }
}
