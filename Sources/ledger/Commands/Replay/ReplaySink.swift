import EventStore
import Handlers
import Projections
import Replay
import Synchronization

/// Sends events to one target, marked with the run.
final class ReplaySink: Sendable {
    private let target: ReplayTarget
    private let run: Identifier
    private let shell: Shell
    private let writer: ReplayWriter
    private let store: any StreamReader
    private let topics: any Topics
    private let bus: any EventBus
    private let http: HTTPTarget?
    private let skipped = Mutex(0)

    /// What a page is made into before it is sent, together with other pages.
    enum Content: Sendable {
        case lines([UInt8])
        case messages([Resent])
        case posts([(name: String, body: [UInt8])])
    }

    init(_ target: ReplayTarget, run: Identifier, _ ledger: Ledger, _ shell: Shell) {
        (self.target, self.run, self.shell, store) = (target, run, shell, ledger.store)
        (topics, bus) = (ledger.performer.topics, ledger.performer.bus)
        writer = ReplayWriter(run: run)
        if case .url(let address) = target {
            http = HTTPTarget(address, run: run, certificates: shell.environment["CURL_CA_BUNDLE"])
        } else {
            http = nil
        }
    }

    /// How many events nothing was sent for.
    var passedOver: Int { skipped.withLock(\.self) }

    @Sendable func prepare(_ events: [RecordedEvent]) async throws(EventStoreError) -> Content {
        switch target {
        case .standardOutput: return .lines(writer.lines(events))
        case .messages(let target):
            var messages: [Resent] = []
            for event in events {
                if let message = try await message(event, target) { messages.append(message) }
            }
            skipped.withLock { $0 += events.count - messages.count }
            return .messages(messages)
        case .url: return .posts(events.map { ($0.named, line($0)) })
        }
    }

    /// How many events of each kind there are, and what would be sent for them: `type|what`.
    @Sendable func kinds(_ events: [RecordedEvent]) async throws(EventStoreError) -> [String: Int] {
        var counts: [String: Int] = [:]
        for event in events {
            let kind: String
            switch target {
            case .standardOutput: kind = "a line"
            case .url: kind = "a POST"
            case .messages(let target): kind = try await message(event, target)?.kind ?? "nothing"
            }
            counts["\(event.entry.type)|\(kind)", default: 0] += 1
        }
        return counts
    }

    private func message(
        _ event: RecordedEvent, _ target: Resent.Target
    ) async throws(EventStoreError) -> Resent? {
        guard let first = event.version == 1 ? event : try await store.read(event.stream).first else { return nil }
        return try Resent(event, first: first, to: target, by: run)
    }

    private func line(_ event: RecordedEvent) -> [UInt8] {
        var line: [UInt8] = []
        writer.append(event, to: &line)
        return line
    }

    func send(_ content: Content) async throws {
        switch content {
        case .lines(let lines): try shell.write(lines)
        case .messages(let messages):
            for message in messages {
                switch message {
                case .message(let message, let topic): try await topics.publish(message, to: topic)
                case .event(let event): try await bus.put(event)
                }
            }
        case .posts(let posts):
            for post in posts { try await http?.post(post.body, named: post.name) }
        }
    }
}
