/// The bytes of a recorded event, and what they say.
///
/// An entry is one JSON object with its keys in a fixed order, written once by `init(_:stream:version:previous:)`.
/// Its bytes are stored, hashed and shown; they are never encoded again. `docs/events.md` describes every key.
package struct Entry: Sendable {
    /// The entry as it is stored.
    package private(set) var bytes: [UInt8]
    package private(set) var type = ""
    package private(set) var schema = 0
    package private(set) var stream = StreamID(Identifier(high: 0, low: 0))
    package private(set) var version = 0
    /// The leaf of the version before; nil for version 1.
    package private(set) var previous: Hash?
    package private(set) var id = Identifier(high: 0, low: 0)
    package private(set) var at = Timestamp(milliseconds: 0)
    package private(set) var country = ""
    package private(set) var actor = ""
    package private(set) var correlation = ""
    package private(set) var causation: Identifier?
    /// The JSON object of the event's own fields.
    package private(set) var data: [UInt8] = []
    package private(set) var personal: [PersonalReference] = []

    /// The most bytes that an entry may have.
    package static let maximumBytes = 60 * 1024
}

/// What an entry says of a personal field: whose it is and what its sealed bytes hash to, and nothing of its content.
package struct PersonalReference: Hashable, Sendable {
    package let field: String
    /// The random id of the person in the subject directory.
    package let subject: Identifier
    /// The number of the person's key.
    package let key: Int
    /// The digest of the sealed bytes, which are kept beside the entry.
    package let sha256: Hash
}

// MARK: - Writing

extension Entry {
    /// Encodes an event that takes its place in a stream.
    ///
    /// - Throws: `tooLarge` when the entry would have more than `maximumBytes`.
    package init(_ event: NewEvent, stream: StreamID, version: Int, previous: Hash?) throws(EventStoreError) {
        (type, schema, self.stream, self.version) = (event.type, event.schema, stream, version)
        (self.previous, id, at, country) = (previous, event.id, event.at, event.country)
        (actor, correlation, causation, data) = (event.actor, event.correlation, event.causation, event.data)
        personal = event.personal.map(\.reference)
        bytes = Self.encode(event, stream: stream, version: version, previous: previous)
        guard bytes.count <= Self.maximumBytes else {
            throw EventStoreError(
                .tooLarge,
                message: "an entry of \(bytes.count) bytes exceeds the limit of \(Self.maximumBytes): send less data")
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

// MARK: - Reading

extension Entry {
    /// Reads a stored entry.
    ///
    /// Keys that this program does not know are passed over, so that an older program reads what a newer one wrote.
    /// - Throws: `JSONError` when the bytes are no JSON object, a known key is missing or appears twice, or it has a
    ///   value of another kind.
    package init(_ bytes: [UInt8]) throws(JSONError) {
        self.bytes = bytes
        if let entry = Self.inOrder(bytes, self) {
            self = entry
            return
        }
        var entry = self
        var seen: UInt16 = 0
        try JSONReader.read(bytes) { reader throws(JSONError) in
            try reader.object { name, reader throws(JSONError) in
                guard let key = Key(name) else { return try reader.skip() }
                if seen & key.bit != 0 { throw reader.error("an entry has a key twice") }
                seen |= key.bit
                try entry.read(key, from: &reader)
            }
        }
        guard seen.nonzeroBitCount == Key.names.count else { throw JSONError("an entry lacks one of its keys", at: 0) }
        guard !entry.type.isEmpty, entry.schema >= 1, entry.version >= 1 else {
            throw JSONError("an entry lacks its type, schema or version", at: 0)
        }
        self = entry
    }

    /// The entry as this program writes it: its keys in their order and without spaces. A history is read by the
    /// million, and looking for each of thirteen keys costs more than all else.
    ///
    /// - Returns: nil for bytes of any other shape, which the reader of all shapes takes or refuses.
    private static func inOrder(_ bytes: [UInt8], _ empty: Entry) -> Entry? {
        var entry = empty
        do throws(JSONError) {
            let isInOrder = try JSONReader.read(bytes) { reader throws(JSONError) in
                for (index, key) in Key.literals.enumerated() {
                    guard reader.take(literal: key), let key = Key(rawValue: index) else { return false }
                    try entry.read(key, from: &reader)
                }
                return reader.take(literal: "}")
            }
            let isWhole = !entry.type.isEmpty && entry.schema >= 1 && entry.version >= 1
            return isInOrder && isWhole ? entry : nil
        } catch {
            return nil
        }
    }

    /// The keys in the order in which they are written. All are in every entry.
    private enum Key: Int {
        case type, schema, stream, version, previous, id, at, country, actor, correlation, causation, data, personal

        static let names = [
            "type", "schema", "stream", "version", "previous", "id", "at", "country", "actor", "correlation",
            "causation", "data", "personal",
        ]

        /// The bytes before each value.
        static let literals: [StaticString] = [
            "{\"type\":", ",\"schema\":", ",\"stream\":", ",\"version\":", ",\"previous\":", ",\"id\":", ",\"at\":",
            ",\"country\":", ",\"actor\":", ",\"correlation\":", ",\"causation\":", ",\"data\":", ",\"personal\":",
        ]

        init?(_ name: String) {
            guard let place = Self.names.firstIndex(of: name) else { return nil }
            self.init(rawValue: place)
        }

        var bit: UInt16 { 1 << UInt16(rawValue) }
    }

    private mutating func read(_ key: Key, from reader: inout JSONReader) throws(JSONError) {
        switch key {
        case .type: type = try reader.string()
        case .schema: schema = Int(try reader.integer())
        case .stream: stream = try reader.value("a stream name", StreamID.init(utf8:))
        case .version: version = Int(try reader.integer())
        case .previous: previous = try reader.null() ? nil : try reader.value("a digest", Hash.init(base64UTF8:))
        case .id: id = try reader.value("a UUID", Identifier.init(utf8:))
        case .at: at = try reader.value("a moment in RFC 3339", Timestamp.init(utf8:))
        case .country: country = try reader.string()
        case .actor: actor = try reader.string()
        case .correlation: correlation = try reader.string()
        case .causation: causation = try reader.null() ? nil : try reader.value("a UUID", Identifier.init(utf8:))
        case .data:
            guard reader.peek() == UInt8(ascii: "{") else { throw reader.error("data is no object") }
            data = try reader.raw()
        case .personal:
            var references: [PersonalReference] = []
            try reader.object { field, reader throws(JSONError) in
                let reference = try PersonalReference(field: field, from: &reader)
                guard !references.contains(where: { $0.field == field }) else {
                    throw reader.error("an entry has a personal field twice")
                }
                references.append(reference)
            }
            personal = references
        }
    }
}

extension PersonalReference {
    fileprivate init(field: String, from reader: inout JSONReader) throws(JSONError) {
        var parts: (subject: Identifier?, key: Int?, sha256: Hash?)
        try reader.object { key, reader throws(JSONError) in
            switch key {
            case "subject": parts.subject = try reader.value("a UUID", Identifier.init(utf8:))
            case "key": parts.key = Int(try reader.integer())
            case "sha256": parts.sha256 = try reader.value("a digest", Hash.init(base64UTF8:))
            default: try reader.skip()
            }
        }
        guard let subject = parts.subject, let key = parts.key, let sha256 = parts.sha256 else {
            throw reader.error("a personal field lacks its subject, key or digest")
        }
        self.init(field: field, subject: subject, key: key, sha256: sha256)
    }
}
