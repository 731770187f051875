package import Appointments
package import EventStore
import Handlers
import Projections

/// The sweeper's log in DynamoDB. Two sweepers together are safe: of one round only one gets the word.
package struct DynamoDBSweepLog: SweepLog {
    private let table: DynamoDBTable
    private let views: DynamoDBAppointmentView

    package init(_ client: AWSClient, tables: DynamoDBTables) {
        table = DynamoDBTable(client: client, name: tables.projections)
        views = DynamoDBAppointmentView(client, tables: tables)
    }

    private static func id(_ appointment: AppointmentID, _ writer: inout JSONWriter) {
        writer.attribute("projectionId", text: "sweeps")
        writer.attribute("itemId", text: appointment.description)
    }

    package func beginRound(
        of appointment: AppointmentID, version: Int, now: Timestamp, quiet: Quiet, maximum: Int
    ) async throws(EventStoreError) -> Bool {
        let item = try await table.item { Self.id(appointment, &$0) }
        let had = try item.map { item throws(EventStoreError) in try read(item) }
        guard
            let next = SweepRounds.next(
                after: had, version: version, now: now, quiet: quiet, maximum: maximum)
        else { return false }
        let condition = had == nil ? "attribute_not_exists(projectionId)" : "version = :version AND rounds = :rounds"
        let there = try await table.put(
            { writer in
                Self.id(appointment, &writer)
                writer.attribute("version", number: next.version)
                writer.attribute("rounds", number: next.count)
                writer.attribute("lastAt", text: next.last.description)
            }, if: condition,
            values: had.map { had in
                { writer in
                    writer.attribute(":version", number: had.version)
                    writer.attribute(":rounds", number: had.count)
                }
            })
        return there == nil
    }

    package func stuck(rounds: Int, quiet: Quiet) async throws(EventStoreError) -> [AppointmentID] {
        var versions: [AppointmentID: Int] = [:]
        try await table.pages("Query") { writer in
            writer.member("ConsistentRead") { $0.boolean(true) }
            writer.member("KeyConditionExpression", "projectionId = :sweeps")
            writer.member("FilterExpression", "rounds >= :rounds AND (lastAt <= :since OR lastAt > :beyond)")
            writer.member("ExpressionAttributeValues") { writer in
                writer.object {
                    $0.attribute(":sweeps", text: "sweeps")
                    $0.attribute(":rounds", number: rounds)
                    $0.attribute(":since", text: quiet.since.description)
                    $0.attribute(":beyond", text: quiet.beyond.description)
                }
            }
        } until: { (items, _) throws(EventStoreError) in
            for item in items {
                do throws(Item.Damage) {
                    versions[try item.value("itemId") { AppointmentID($0) }] = Int(try item.number("version"))
                } catch {
                    throw .damaged(table.name, error)
                }
            }
            return false
        }
        let rows = try await views.rows(of: Array(versions.keys))
        return versions.filter { rows[$0.key]?.version == $0.value }.keys.sorted()
    }

    private func read(_ item: Item) throws(EventStoreError) -> SweepRounds {
        do throws(Item.Damage) {
            return SweepRounds(
                version: Int(try item.number("version")), count: Int(try item.number("rounds")),
                last: try item.value("lastAt") { Timestamp($0) })
        } catch {
            throw .damaged(table.name, error)
        }
    }
}
