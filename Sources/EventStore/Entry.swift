/// The bytes of a recorded event, and what they say.
///
/// An entry is one JSON object with its keys in a fixed order, written once by `init(_:stream:version:previous:)`.
/// Its bytes are stored, hashed and shown; they are never encoded again. `docs/events.md` describes every key.
package struct Entry: Sendable {
    /// The entry as it is stored.
    package let bytes: [UInt8]
    private let outline: EntryOutline

    /// The most bytes that an entry may have.
    package static let maximumBytes = 60 * 1024

    /// Reads a stored entry.
    ///
    /// Keys that this program does not know are passed over, so that an older program reads what a newer one wrote.
    /// - Throws: `JSONError` when the bytes are no JSON object, a known key is missing or appears twice, or it has a
    ///   value of another kind.
    package init(_ bytes: [UInt8]) throws(JSONError) {
        outline = try bytes.withUnsafeBufferPointer { buffer throws(JSONError) in try EntryOutline(buffer) }
        self.bytes = bytes
    }

    /// An entry whose bytes were read already.
    init(_ bytes: [UInt8], read outline: EntryOutline) { (self.bytes, self.outline) = (bytes, outline) }
}

// MARK: - What it says

extension Entry {
    package var type: String { text(outline.type) }
    package var schema: Int { outline.schema }
    package var stream: StreamID { outline.stream }
    package var version: Int { outline.version }
    /// The leaf of the version before; nil for version 1.
    package var previous: Hash? { outline.previous }
    package var id: Identifier { outline.id }
    package var at: Timestamp { outline.at }
    package var country: String { text(outline.country) }
    package var actor: String { text(outline.actor) }
    package var correlation: String { text(outline.correlation) }
    package var causation: Identifier? { outline.causation }
    /// The JSON object of the event's own fields.
    package var data: [UInt8] { withData { Array($0) } }
    package var personal: [PersonalReference] { outline.personal }
    /// Whether it has any personal field.
    package var namesPersons: Bool { !outline.personal.isEmpty }

    /// Gives the JSON object of the event's own fields to `body` without copying it.
    package func withData<Value, Failure: Error>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try bytes.withUnsafeBufferPointer { bytes throws(Failure) in try body(outline.data.bytes(in: bytes)) }
    }

    private func text(_ place: JSONPlace) -> String {
        bytes.withUnsafeBufferPointer { place.text(in: $0) }
    }
}

/// What an entry says of a personal field: whose it is and what its sealed bytes hash to, and nothing of its content.
package struct PersonalReference: Hashable, Sendable {
    package let field: String
    /// The random id of the person in the subject directory.
    package let subject: Identifier
    /// The number of the person's key.
    package let key: Int
    /// The digest of the sealed bytes, which are kept next to the entry.
    package let sha256: Hash
}

// MARK: - Writing

extension Entry {
    /// Encodes an event that takes its place in a stream.
    ///
    /// - Throws: `tooLarge` when the entry would have more than `maximumBytes`, `invalid` when it would not read back.
    package init(_ event: NewEvent, stream: StreamID, version: Int, previous: Hash?) throws(EventStoreError) {
        let bytes = Self.encode(event, stream: stream, version: version, previous: previous)
        guard bytes.count <= Self.maximumBytes else {
            throw EventStoreError(
                .tooLarge,
                message: "an entry of \(bytes.count) bytes exceeds the limit of \(Self.maximumBytes): send less data")
        }
        do throws(JSONError) {
            try self.init(bytes)
        } catch {
            throw EventStoreError(
                .invalid, message: "an event can't be stored: its entry does not read back", cause: error)
        }
    }

    private static func encode(_ event: NewEvent, stream: StreamID, version: Int, previous: Hash?) -> [UInt8] {
        var writer = JSONWriter(reservingCapacity: 640)
        writer.object {
            $0.member("type", event.type)
            $0.member("schema", event.schema)
            $0.member("stream", stream.description)
            $0.member("version", version)
            $0.member("previous", previous)
            $0.member("id", event.id.description)
            $0.member("at", event.at)
            $0.member("country", event.country)
            $0.member("actor", event.actor)
            $0.member("correlation", event.correlation)
            $0.member("causation", event.causation?.description)
            $0.member("data") { $0.raw(event.data) }
            $0.member("personal") { writer in
                writer.object { writer in
                    for field in event.personal { field.reference.write(to: &writer) }
                }
            }
        }
        return writer.bytes
    }
}

extension PersonalReference {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.member(field) {
            $0.object {
                $0.member("subject", subject.description)
                $0.member("key", key)
                $0.member("sha256", sha256)
            }
        }
    }
}
