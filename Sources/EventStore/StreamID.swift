/// The name of a stream: `appointment-<uuid>`. One appointment is one stream.
package struct StreamID: Hashable, Comparable, Sendable {
    /// The UUID of the appointment.
    package let id: Identifier

    package init(_ id: Identifier) { self.id = id }

    private static let category = "appointment-"

    package static func < (left: StreamID, right: StreamID) -> Bool { left.id < right.id }
}

extension StreamID: CustomStringConvertible {
    package var description: String { Self.category + id.description }

    /// Reads `appointment-<uuid>`; nil for anything else.
    package init?(_ text: some StringProtocol) {
        guard text.hasPrefix(Self.category), let id = Identifier(text.dropFirst(Self.category.count)) else {
            return nil
        }
        self.id = id
    }
}
