import Appointments
import EventStore
import PostgresEngine

/// What a country's database says of itself, next to what the ledger knows.
struct CountryLook: FieldRow {
    static let fields: Fields = [
        "countryISO": { $0.country.code }, "ledger": { $0.found.owner.map { "\($0.id)" } },
        "epoch": { $0.found.owner?.epoch }, "state": { $0.standing.rawValue }, "holders": { $0.holders },
        "unknown": { $0.unknown },
    ]

    let country: Country
    let database: PostgresCountryDatabase
    let found: PostgresCountryDatabase.Belonging
    let standing: PostgresCountryDatabase.Standing
    /// How many appointments hold slots there, and how many of them the ledger does not know.
    let holders: Int
    let unknown: Int

    /// - Throws: a refusal when no database is configured.
    static func all(in ledger: Ledger, _ wanted: Country?) async throws -> [CountryLook] {
        var looks: [CountryLook] = []
        for country in Country.allCases where wanted == nil || country == wanted {
            guard let database = ledger.countryPools.database(of: country) else { continue }
            let found = try await database.belonging()
            let standing = try await database.standing(found)
            var (count, unknown, after) = (0, 0, ScheduleID?.none)
            while let slots = try await ledger.countryPools.page(of: country, after: after), let last = slots.last {
                for holder in slots.compactMap(\.holder) {
                    count += 1
                    if try await ledger.store.read(holder.stream).isEmpty { unknown += 1 }
                }
                after = last.slot.schedule
            }
            looks.append(
                CountryLook(
                    country: country, database: database, found: found, standing: standing, holders: count,
                    unknown: unknown))
        }
        if looks.isEmpty {
            throw Refusal("no country has a database in PostgreSQL: set RDS_URL, \(Country.list { "RDS_URL_\($0)" })")
        }
        return looks
    }
}
