/// What a chain is checked by: the place of an event, its leaf, and the leaf that it names.
package struct EventLink: Sendable {
    package let position: Int?
    package let stream: StreamID
    package let version: Int
    /// The leaf, computed from the bytes of the entry.
    package let leaf: Hash
    /// The leaf of the version before, as the entry names it.
    package let previous: Hash?
    /// What in the event contradicts itself.
    package let damage: [Damage]

    /// How an event can contradict itself.
    package enum Damage: Equatable, Sendable {
        /// The entry does not hash to its stored leaf.
        case leaf
        /// The bytes are not the entry that came with them.
        case bytes
        /// A sealed field is not the one that the entry names.
        case sealed(String)
    }

    /// The link of an event whose entry was read from its bytes and hashes to its leaf.
    package init(position: Int, checked outline: EntryOutline, leaf: Hash, sealed: [String: [UInt8]]) {
        (self.position, stream, version) = (position, outline.stream, outline.version)
        (self.leaf, previous) = (leaf, outline.previous)
        damage =
            sealed.isEmpty && outline.personal.isEmpty ? [] : Self.damage(of: sealed, named: outline.personal)
    }

    /// The link of an event. What was read from its bytes and hashed just now, in this process, is not hashed twice.
    package init(_ event: RecordedEvent) {
        (position, stream, version) = (event.position, event.stream, event.version)
        previous = event.entry.previous
        leaf = event.isChecked ? event.leaf : Hash.leaf(of: event.entry.bytes)
        var damage: [Damage] = []
        if leaf != event.leaf { damage.append(.leaf) }
        if !event.isChecked, !event.isIntact { damage.append(.bytes) }
        self.damage = damage + Self.damage(of: event.sealed, named: event.entry.personal)
    }

    private static func damage(of sealed: [String: [UInt8]], named references: [PersonalReference]) -> [Damage] {
        var damage: [Damage] = []
        for reference in references {
            if let bytes = sealed[reference.field], Hash(of: bytes) != reference.sha256 {
                damage.append(.sealed("the sealed field \(reference.field) does not hash to what the entry says"))
            }
        }
        for field in sealed.keys.sorted() where !references.contains(where: { $0.field == field }) {
            damage.append(.sealed("a sealed field \(field) is stored that the entry does not name"))
        }
        return damage
    }
}

extension RecordedEvent {
    /// Whether the bytes read back to the entry that came with them.
    fileprivate var isIntact: Bool {
        guard let read = try? Entry(entry.bytes) else { return false }
        return read.stream == stream && read.version == version && read.type == entry.type && read.at == entry.at
            && read.data == entry.data
    }
}
