/// The name of a stream: `appointment-<uuid>`. One appointment is one stream.
package struct StreamID: Hashable, Comparable, Sendable {
    /// The UUID of the appointment.
    package let id: Identifier

    package init(_ id: Identifier) { self.id = id }

    private static let category = "appointment-"
    private static let categoryBytes = Array(category.utf8)

    package static func < (left: StreamID, right: StreamID) -> Bool { left.id < right.id }
}

extension StreamID: CustomStringConvertible {
    package var description: String { Self.category + id.description }

    /// Reads `appointment-<uuid>`; nil for anything else.
    package init?(_ text: some StringProtocol) {
        guard let value = Array(text.utf8).withUnsafeBufferPointer({ StreamID(utf8: $0) }) else { return nil }
        self = value
    }

    init?(utf8 bytes: UnsafeBufferPointer<UInt8>) {
        let length = Self.categoryBytes.count
        guard bytes.count > length, bytes.prefix(length).elementsEqual(Self.categoryBytes),
            let id = Identifier(utf8: UnsafeBufferPointer(rebasing: bytes[length...]))
        else { return nil }
        self.id = id
    }
}
