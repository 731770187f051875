/// An event that somebody wishes to append: everything about it but its place.
///
/// The store adds stream, version and the hash of the version before, and encodes the entry once.
package struct NewEvent: Sendable {
    /// The storage name of the kind of event, such as `requested`.
    package let type: String
    /// The number of the shape that `data` has.
    package let schema: Int
    package let id: Identifier
    package let at: Timestamp
    /// ISO 3166-1 alpha-2 code of the country that the stream belongs to.
    package let country: String
    /// Who caused the event, such as `key:front-desk` or `router`.
    package let actor: String
    /// What ties together all events that one request led to.
    package let correlation: String
    /// The id of the event that led to this one.
    package let causation: Identifier?
    /// A JSON object.
    package let data: [UInt8]
    /// The personal fields, sealed for this stream and version.
    package let personal: [SealedField]

    package init(
        type: String, schema: Int, id: Identifier, at: Timestamp, country: String, actor: String, correlation: String,
        causation: Identifier?, data: [UInt8], personal: [SealedField] = []
    ) {
        (self.type, self.schema, self.id, self.at, self.country) = (type, schema, id, at, country)
        (self.actor, self.correlation, self.causation) = (actor, correlation, causation)
        (self.data, self.personal) = (data, personal)
    }

    /// The id of an event that a handler derives: the same stream, version and type give the same id, so a retry
    /// makes the same event.
    package static func derivedID(_ stream: StreamID, version: Int, type: String) -> Identifier {
        .version8(Hash(of: Array("\(stream)|\(version)|\(type)".utf8)))
    }
}

extension NewEvent {
    /// Refuses an event whose entry could not be read back.
    ///
    /// - Throws: `invalid` when its data is no JSON object, it lacks its type or schema, two of its personal fields
    ///   have the same name, or its names hold control characters, which PostgreSQL's jsonb would refuse for ever.
    func check() throws(EventStoreError) {
        func isObject(_ bytes: [UInt8]) -> Bool {
            do throws(JSONError) {
                try JSONReader.read(bytes) { reader throws(JSONError) in
                    try reader.object { _, reader throws(JSONError) in try reader.skip() }
                }
                return true
            } catch {
                return false
            }
        }
        let names = [type, country, actor, correlation] + personal.map(\.reference.field)
        let problem: String? =
            if type.isEmpty || schema < 1 {
                "it lacks its type or schema"
            } else if names.contains(where: { $0.utf8.contains { $0 < 0x20 || $0 == 0x7F } }) {
                "one of its names holds a control character"
            } else if Set(personal.map { Array($0.reference.field.utf8) }).count < personal.count {
                "two personal fields have the same name"
            } else if !isObject(data) {
                "its data is no JSON object"
            } else {
                nil
            }
        if let problem { throw EventStoreError(.invalid, message: "an event can't be stored: \(problem)") }
    }
}

/// An event as the store keeps it: its entry, its leaf and its place.
package struct RecordedEvent: Sendable {
    /// The place in the log of all streams, from 1; nil where the engine gives no such order.
    package let position: Int?
    package let entry: Entry
    package let leaf: Hash
    /// The sealed bytes of each personal field, by the field's name. A field that was erased is missing.
    package let sealed: [String: [UInt8]]
    /// Whether the entry was read from stored bytes that hash to the leaf, by the initializer that checks it.
    package let isChecked: Bool

    package init(position: Int?, entry: Entry, leaf: Hash, sealed: [String: [UInt8]]) {
        self.init(position: position, entry: entry, leaf: leaf, sealed: sealed, isChecked: false)
    }

    private init(position: Int?, entry: Entry, leaf: Hash, sealed: [String: [UInt8]], isChecked: Bool) {
        (self.position, self.entry, self.leaf, self.sealed) = (position, entry, leaf, sealed)
        self.isChecked = isChecked
    }

    package var stream: StreamID { entry.stream }
    package var version: Int { entry.version }

    /// Reads back what an engine stored and checks it against its hash and its place.
    ///
    /// - Throws: `corrupt` when the bytes do not hash to the leaf, are no entry, or belong to another place.
    package init(
        position: Int?, stream: StreamID, version: Int, entry bytes: [UInt8], leaf: Hash, sealed: [String: [UInt8]]
    ) throws(EventStoreError) {
        let outline = try bytes.withUnsafeBufferPointer { buffer throws(EventStoreError) in
            try EntryOutline(buffer, of: stream, version: version, leaf: leaf)
        }
        self.init(
            position: position, entry: Entry(bytes, read: outline), leaf: leaf, sealed: sealed, isChecked: true)
    }

    /// The same where the engine has checked the bytes in its own memory, and made the outline of them.
    package init(
        position: Int?, entry bytes: [UInt8], checked outline: EntryOutline, leaf: Hash, sealed: [String: [UInt8]]
    ) {
        self.init(
            position: position, entry: Entry(bytes, read: outline), leaf: leaf, sealed: sealed, isChecked: true)
    }
}

extension EntryOutline {
    /// Reads the entry that an engine stored and checks it against its hash and its place.
    ///
    /// - Throws: `corrupt` when the bytes do not hash to the leaf, are no entry, or belong to another place.
    package init(
        _ bytes: UnsafeBufferPointer<UInt8>, of stream: StreamID, version: Int, leaf: Hash
    ) throws(EventStoreError) {
        guard Hash.leaf(of: UnsafeRawBufferPointer(bytes)) == leaf else {
            throw EventStoreError(
                .corrupt, message: "version \(version) of \(stream) does not hash to its leaf: run `ledger verify`")
        }
        do throws(JSONError) {
            try self.init(bytes)
        } catch {
            throw EventStoreError(
                .corrupt, message: "version \(version) of \(stream) is no entry: run `ledger verify`", cause: error)
        }
        guard self.stream == stream, self.version == version else {
            throw EventStoreError(
                .corrupt,
                message: "the entry stored as version \(version) of \(stream) belongs elsewhere: run `ledger verify`")
        }
    }
}
