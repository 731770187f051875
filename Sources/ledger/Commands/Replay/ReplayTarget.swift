import ArgumentParser
import Handlers

/// Where events are sent again.
enum ReplayTarget: Equatable, CustomStringConvertible {
    case standardOutput
    case messages(Resent.Target)
    case url(HTTPTarget.Address)

    init(text: String) throws {
        switch text {
        case "stdout": self = .standardOutput
        case "topic": self = .messages(.topic)
        case "bus": self = .messages(.bus)
        default:
            guard let address = HTTPTarget.Address(text) else {
                throw ValidationError("'\(text)' is no target: take stdout, topic, bus, or a URL https://host/path")
            }
            self = .url(address)
        }
    }

    var description: String {
        switch self {
        case .standardOutput: "stdout"
        case .messages(let target): target.rawValue
        case .url(let address): address.description
        }
    }

    /// The command that shows the result.
    var hint: String {
        switch self {
        case .standardOutput: "each line has the run's id in `replay`"
        case .messages: "`ledger stats` shows the queues, `ledger dlq list` what could not be handled"
        case .url: "the receiver has the run's id in `X-Replay-Id` and in each body"
        }
    }
}
