import EventStore
import Handlers

/// An epoch of the ledger: an item among the events that is none, written once like them. What puts the events back
/// puts it back as well.
///
/// Its key is that of an event whose stream nobody can have; its version is the number of the epoch.
struct EpochItem {
    static let stream = "ledger"

    let identity: LedgerIdentity

    /// Nil for an item that is something else, or that this program has not written like that.
    init?(_ item: Item) {
        guard Self.hasKey(item), let epoch = (try? item.number("version")).flatMap({ Int(exactly: $0) }),
            let id = try? item.value("ledger", { Identifier($0) })
        else { return nil }
        identity = LedgerIdentity(id: id, epoch: epoch)
    }

    init(_ identity: LedgerIdentity) { self.identity = identity }

    /// Whether an item stands where epochs do, whatever it holds.
    static func hasKey(_ item: Item) -> Bool {
        guard (try? item.text("streamId")) == stream, let epoch = try? item.number("version") else { return false }
        return epoch > 0 && Int32(exactly: epoch) != nil
    }

    func write(at now: Timestamp, _ writer: inout JSONWriter) {
        writer.attribute("streamId", text: Self.stream)
        writer.attribute("version", number: identity.epoch)
        writer.attribute("ledger", text: identity.id.description)
        writer.attribute("at", text: now.description)
    }

    /// Reads what the change stream tells of such an item.
    ///
    /// - Parameters:
    ///   - name: INSERT, MODIFY or REMOVE.
    ///   - image: the item as it is now.
    static func change(_ name: String, _ image: JSONValue?) -> ChangeRecord.Change {
        switch (name, image.flatMap { EpochItem(Item(value: $0)) }) {
        case ("INSERT", let epoch?): .epochBegan(epoch.identity)
        case ("REMOVE", _): .tampered(tampering("was removed from the table of events"))
        default: .tampered(tampering("was changed in the table of events"))
        }
    }

    private static func tampering(_ what: String) -> Tampering {
        Tampering(nil, version: 0, reason: "the item that says which ledger this is \(what)")
    }
}
