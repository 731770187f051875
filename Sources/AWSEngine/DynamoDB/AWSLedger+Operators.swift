import EventStore
package import Projections

/// What operators and auditors work with. One run, one instance of each.
extension AWSLedger {
    /// The events stream by stream and by position, for rebuild, verify, reconcile, replay, diff and audit. It looks
    /// through the whole table.
    package func log() -> DynamoDBScan { DynamoDBScan(client, tables: names.tables) }

    /// The view with its rows in the order of ids, for verify and reconcile.
    package func orderedViews() -> DynamoDBOrderedViews { DynamoDBOrderedViews(client, tables: names.tables) }

    /// The sets next to the live view, for rebuild and repair.
    package func viewSets(_ keys: PersonKeys) -> DynamoDBViewCopies {
        DynamoDBViewCopies(client, tables: names.tables, people: people(keys), now: now)
    }
}
