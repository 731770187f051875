import Appointments
package import EventStore
package import Handlers

/// A record of the events table's change stream, as `GetRecords` gives it and as Lambda is invoked with it.
package struct StreamRecord: Sendable {
    /// What the record tells.
    package enum Change: Sendable {
        case appended(RecordedEvent)
        case tampered(Tampering)
    }

    /// Its place in its shard.
    package let sequenceNumber: String
    package let change: Change

    /// Reads a record.
    ///
    /// - Throws: `corrupt` when it is no record of the events table.
    package init(_ record: JSONValue) throws(EventStoreError) {
        let content = record["dynamodb"] ?? .null
        let keys = Item(value: content["Keys"] ?? .null)
        guard let sequenceNumber = content["SequenceNumber"]?.text, let name = record["eventName"]?.text,
            let stream = (try? keys.text("streamId")).flatMap({ StreamID($0) }),
            let version = try? keys.number("version")
        else {
            throw EventStoreError(.corrupt, message: "a record of the change stream is none of the events table")
        }
        self.sequenceNumber = sequenceNumber
        func tampered(_ reason: String) -> Change {
            .tampered(Tampering(stream.appointment, version: Int(version), reason: reason))
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
        default: change = tampered("the change stream tells of it what nobody knows")
        }
    }
}
