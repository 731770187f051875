import Appointments
import EventStore
import Projections

/// Where the next page of a list begins, as an opaque text that only this ledger can write.
///
/// The text is URL-safe base64 of the place and of an HMAC-SHA256 over the list and the place: a cursor that was
/// changed, or that another list gave out, is refused.
struct PageCursor {
    private let secret: [UInt8]

    init(secret: [UInt8]) { self.secret = secret }

    /// The cursor of a place in a list.
    ///
    /// - Parameter list: names the list with all that selects its rows.
    func text(of place: RowPlace, in list: String) -> String {
        let bytes = withUnsafeBytes(of: place.createdAt.milliseconds.bigEndian, Array.init) + place.appointment.id.bytes
        return Base64.encodeURLSafe(bytes + code(bytes, list).bytes)
    }

    /// The place that a cursor names; nil for a text that this list never gave out.
    func place(_ text: String, in list: String) -> RowPlace? {
        guard text.utf8.count <= 128, let bytes = Base64.decodeURLSafe(text), bytes.count == 56,
            let theirs = Hash(bytes: bytes[24...]), let id = Identifier(bytes: bytes[8..<24]),
            theirs.equalsInConstantTime(code(Array(bytes[..<24]), list))
        else { return nil }
        let milliseconds = bytes[..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return RowPlace(
            createdAt: Timestamp(milliseconds: Int64(bitPattern: milliseconds)), appointment: .init(id))
    }

    private func code(_ place: [UInt8], _ list: String) -> Hash {
        .authentication(of: Array("cursor|\(list)|".utf8) + place, key: secret)
    }
}
