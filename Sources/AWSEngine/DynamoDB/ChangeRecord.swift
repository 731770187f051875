import Appointments
package import EventStore
package import Handlers

/// A record of the events table's change stream, as `GetRecords` gives it and as Lambda is invoked with it.
package struct ChangeRecord: Sendable {
    /// What the record tells.
    package enum Change: Sendable {
        case appended(RecordedEvent)
        case tampered(Tampering)
        /// The ledger began an epoch.
        case epochBegan(LedgerIdentity)
    }

    /// Its place in its shard.
    package let sequenceNumber: String
    package let change: Change

    /// Reads a record.
    ///
    /// - Throws: `corrupt` when it is no record of the events table. A record of an item that has the table's keys and
    ///   is no event is one: it tells of tampering.
    package init(_ record: JSONValue) throws(EventStoreError) {
        let content = record["dynamodb"] ?? .null
        let keys = Item(value: content["Keys"] ?? .null)
        guard let sequenceNumber = content["SequenceNumber"]?.text, let name = record["eventName"]?.text,
            (try? keys.text("streamId")) != nil, keys.value["version"]?["N"]?.text != nil
        else {
            throw EventStoreError(.corrupt, message: "a record of the change stream is none of the events table")
        }
        self.sequenceNumber = sequenceNumber
        if EpochItem.hasKey(keys) {
            change = EpochItem.change(name, content["NewImage"])
            return
        }
        guard let key = EventKey(keys) else {
            change = .tampered(.foreign(name == "REMOVE" ? "was removed from" : "was put into"))
            return
        }
        func tampered(_ reason: String) -> Change {
            .tampered(Tampering(key.stream.appointment, version: key.version, reason: reason))
        }
        switch (name, content["NewImage"]) {
        case ("INSERT", let image?):
            do throws(EventStoreError) {
                change = .appended(try RecordedEvent(item: Item(value: image)))
            } catch {
                change = tampered("it was stored damaged: \(error.message)")
            }
        case ("MODIFY", _): change = tampered("it was changed in the table")
        case ("REMOVE", _): change = tampered("it was removed from the table")
        default: change = tampered("the change stream reports an unknown kind of change")
        }
    }
}

extension Tampering {
    /// A sign of an item in the events table that is no event.
    ///
    /// - Parameter what: what was done to it: "was put into".
    static func foreign(_ what: String) -> Tampering {
        Tampering(nil, version: 0, reason: "an item that is no event \(what) the table of events")
    }
}
