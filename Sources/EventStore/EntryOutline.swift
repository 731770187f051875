/// What the bytes of an entry say, and where its texts stand in them.
///
/// Everything is checked, and nothing allocated for an entry that names no person: a history is read by the million.
package struct EntryOutline: Sendable {
    package private(set) var type = JSONPlace()
    package private(set) var schema = 0
    package private(set) var stream = StreamID(Identifier(high: 0, low: 0))
    package private(set) var version = 0
    /// The leaf of the version before; nil for version 1.
    package private(set) var previous: Hash?
    package private(set) var id = Identifier(high: 0, low: 0)
    package private(set) var at = Timestamp(milliseconds: 0)
    package private(set) var country = JSONPlace()
    package private(set) var actor = JSONPlace()
    package private(set) var correlation = JSONPlace()
    package private(set) var causation: Identifier?
    /// The JSON object of the event's own fields.
    package private(set) var data = JSONPlace()
    package private(set) var personal: [PersonalReference] = []

    private init() {}

    /// Reads a stored entry.
    ///
    /// - Throws: `JSONError` when the bytes are no JSON object, a known key is missing or appears twice, or it has a
    ///   value of another kind.
    package init(_ bytes: UnsafeBufferPointer<UInt8>) throws(JSONError) {
        if let outline = Self.inOrder(bytes) {
            self = outline
            return
        }
        self.init()
        var reader = JSONReader(bytes)
        var seen: UInt16 = 0
        var outline = self
        try reader.object { name, reader throws(JSONError) in
            guard let key = Key(name) else { return try reader.skip() }
            if seen & key.bit != 0 { throw reader.error("an entry has a key twice") }
            seen |= key.bit
            try outline.read(key, from: &reader)
        }
        try reader.end()
        guard seen.nonzeroBitCount == Key.names.count else { throw JSONError("an entry lacks one of its keys", at: 0) }
        guard outline.isWhole else { throw JSONError("an entry lacks its type, schema or version", at: 0) }
        self = outline
    }

    private var isWhole: Bool { type.count > 2 && schema >= 1 && version >= 1 }

    /// The entry as this program writes it: its keys in their order and without spaces. Looking for each of thirteen
    /// keys would cost more than all else.
    ///
    /// - Returns: nil for bytes of any other shape, which the reader of all shapes takes or refuses.
    private static func inOrder(_ bytes: UnsafeBufferPointer<UInt8>) -> EntryOutline? {
        var reader = JSONReader(bytes)
        var outline = EntryOutline()
        do throws(JSONError) {
            guard try outline.readInOrder(&reader), reader.place == bytes.count, outline.isWhole else { return nil }
            return outline
        } catch {
            return nil
        }
    }

    private mutating func readInOrder(_ reader: inout JSONReader) throws(JSONError) -> Bool {
        guard reader.take(literal: "{\"type\":") else { return false }
        try read(.type, from: &reader)
        guard reader.take(literal: ",\"schema\":") else { return false }
        try read(.schema, from: &reader)
        guard reader.take(literal: ",\"stream\":") else { return false }
        try read(.stream, from: &reader)
        guard reader.take(literal: ",\"version\":") else { return false }
        try read(.version, from: &reader)
        guard reader.take(literal: ",\"previous\":") else { return false }
        try read(.previous, from: &reader)
        guard reader.take(literal: ",\"id\":") else { return false }
        try read(.id, from: &reader)
        guard reader.take(literal: ",\"at\":") else { return false }
        try read(.at, from: &reader)
        guard reader.take(literal: ",\"country\":") else { return false }
        try read(.country, from: &reader)
        guard reader.take(literal: ",\"actor\":") else { return false }
        try read(.actor, from: &reader)
        guard reader.take(literal: ",\"correlation\":") else { return false }
        try read(.correlation, from: &reader)
        guard reader.take(literal: ",\"causation\":") else { return false }
        try read(.causation, from: &reader)
        guard reader.take(literal: ",\"data\":") else { return false }
        try read(.data, from: &reader)
        guard reader.take(literal: ",\"personal\":") else { return false }
        if reader.take(literal: "{}}") { return true }
        try read(.personal, from: &reader)
        return reader.take(literal: "}")
    }

    /// The keys in the order in which they are written. All are in every entry.
    private enum Key: Int {
        case type, schema, stream, version, previous, id, at, country, actor, correlation, causation, data, personal

        static let names = [
            "type", "schema", "stream", "version", "previous", "id", "at", "country", "actor", "correlation",
            "causation", "data", "personal",
        ]

        init?(_ name: String) {
            guard let place = Self.names.firstIndex(of: name) else { return nil }
            self.init(rawValue: place)
        }

        var bit: UInt16 { 1 << UInt16(rawValue) }
    }

    // Inlined, so that each key of the fixed order costs its own reading and no choice.
    @inline(__always)
    private mutating func read(_ key: Key, from reader: inout JSONReader) throws(JSONError) {
        switch key {
        case .type: type = try reader.stringPlace()
        case .schema: schema = Int(try reader.integer())
        case .stream: stream = try reader.value("a stream name", StreamID.init(utf8:))
        case .version: version = Int(try reader.integer())
        case .previous: previous = try reader.null() ? nil : try reader.value("a digest", Hash.init(base64UTF8:))
        case .id: id = try reader.value("a UUID", Identifier.init(utf8:))
        case .at: at = try reader.value("a moment in RFC 3339", Timestamp.init(utf8:))
        case .country: country = try reader.stringPlace()
        case .actor: actor = try reader.stringPlace()
        case .correlation: correlation = try reader.stringPlace()
        case .causation: causation = try reader.null() ? nil : try reader.value("a UUID", Identifier.init(utf8:))
        case .data:
            guard reader.peek() == UInt8(ascii: "{") else { throw reader.error("data is no object") }
            data = try reader.valuePlace()
        case .personal: personal = try Self.personal(from: &reader)
        }
    }

    private static func personal(from reader: inout JSONReader) throws(JSONError) -> [PersonalReference] {
        var references: [PersonalReference] = []
        try reader.object { field, reader throws(JSONError) in
            let reference = try PersonalReference(field: field, from: &reader)
            guard !references.contains(where: { $0.field == field }) else {
                throw reader.error("an entry has a personal field twice")
            }
            references.append(reference)
        }
        return references
    }
}

extension PersonalReference {
    fileprivate init(field: String, from reader: inout JSONReader) throws(JSONError) {
        let start = reader
        if let reference = try Self.inOrder(field, &reader) {
            self = reference
            return
        }
        reader = start
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

    /// The reference as this program writes it; nil for one of another shape.
    private static func inOrder(
        _ field: String, _ reader: inout JSONReader
    ) throws(JSONError) -> PersonalReference? {
        guard reader.take(literal: "{\"subject\":") else { return nil }
        let subject = try reader.value("a UUID", Identifier.init(utf8:))
        guard reader.take(literal: ",\"key\":") else { return nil }
        let key = Int(try reader.integer())
        guard reader.take(literal: ",\"sha256\":") else { return nil }
        let sha256 = try reader.value("a digest", Hash.init(base64UTF8:))
        guard reader.take(literal: "}") else { return nil }
        return PersonalReference(field: field, subject: subject, key: key, sha256: sha256)
    }
}
