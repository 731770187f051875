package import EventStore

/// The number of an insured person: exactly five ASCII digits. Personal data: it prints masked.
package struct InsuredID: Hashable, Sendable {
    /// The five digits in clear, for a view or a sealed field; never for a log line, a message or an error.
    package let digits: String

    /// Nil unless the text is exactly five ASCII digits.
    package init?(_ text: some StringProtocol) {
        guard text.utf8.count == 5, text.utf8.allSatisfy({ $0.isDigit }) else { return nil }
        digits = String(text)
    }

    /// The last two digits after three asterisks: `***23`.
    package var masked: String { "***" + digits.suffix(2) }
}

extension InsuredID: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { masked }
    package var debugDescription: String { masked }
    /// Shows no parts, so that `dump` does not print what the descriptions mask.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// How much of a person a reader is shown.
package enum PersonDisplay: Sendable {
    /// The five digits.
    case whole
    /// The last two digits after three asterisks.
    case masked

    /// The text that stands for a person; nil for one who was erased.
    package func text(of insured: InsuredID?) -> String? {
        switch self {
        case .whole: insured?.digits
        case .masked: insured?.masked
        }
    }
}

/// The number of a slot in a country's schedules: 1 to 2^53 - 1, so that every JSON reader can hold it.
package struct ScheduleID: Hashable, Comparable, Sendable {
    package let number: Int64

    package static let bounds: ClosedRange<Int64> = 1...9_007_199_254_740_991

    /// Nil outside `bounds`.
    package init?(_ number: Int64) {
        guard Self.bounds.contains(number) else { return nil }
        self.number = number
    }

    package static func < (left: ScheduleID, right: ScheduleID) -> Bool { left.number < right.number }
}

/// The id of an appointment, and of its stream.
package struct AppointmentID: Hashable, Comparable, Sendable {
    package let id: Identifier

    package init(_ id: Identifier) { self.id = id }

    /// An id that nobody used before: a UUIDv7.
    package init(at now: Timestamp, random: (UInt64, UInt64)) { id = .version7(at: now, random: random) }

    /// The id that one caller's idempotency key always means: a UUIDv8 of HMAC-SHA256 under a local secret.
    ///
    /// The conditional append of version 1 of its stream is then itself the record that the key was used.
    package init(owner: String, idempotencyKey: String, secret: [UInt8]) {
        let scope = "\(owner.utf8.count)|\(owner)|\(idempotencyKey)"
        id = .version8(.authentication(of: Array(scope.utf8), key: secret))
    }

    /// Reads a UUID; nil for anything else.
    package init?(_ text: some StringProtocol) {
        guard let id = Identifier(text) else { return nil }
        self.id = id
    }

    package var stream: StreamID { StreamID(id) }

    package static func < (left: AppointmentID, right: AppointmentID) -> Bool { left.id < right.id }
}

extension AppointmentID: CustomStringConvertible {
    package var description: String { id.description }
}

extension StreamID {
    /// The appointment whose stream this is.
    package var appointment: AppointmentID { AppointmentID(id) }
}
