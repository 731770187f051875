import Appointments
package import EventStore
package import Projections

extension DynamoDBViewCopies {
    /// Not one snapshot, which DynamoDB has not got across items: rows are compared as they come, and where two differ
    /// in version, the events say whether the appointment has just moved.
    package func compare(_ name: String, limit: Int) async throws(EventStoreError) -> SetComparison {
        let record = try await whole(name)
        let live = try await views.ids()
        var (found, held) = (SetComparison(), Set<AppointmentID>())
        var differing: [RowDifference.Kind: [AppointmentID]] = [:]
        var further = 0
        for shard in 0..<SetRecords.shards {
            try await records.items(record.generation, shard) { items throws(EventStoreError) in
                let page = try await compare(try views.read(items))
                held.formUnion(page.all)
                found.equal += page.equal
                further += page.further
                for (kind, ids) in page.differing { differing[kind, default: []] += ids }
            }
        }
        differing[.missing] = try await standingStill(live.sorted.filter { !held.contains($0) }.map { ($0, 0) })
        for kind in RowDifference.Kind.allCases {
            found.counts[kind] = differing[kind].flatMap { $0.isEmpty ? nil : $0.count }
            let shown = Array((differing[kind] ?? []).sorted().prefix(max(limit - found.first.count, 0)))
            found.first += try await differences(kind, shown, record)
        }
        found.further = further
        // Rows under an id that no program writes: no rebuild has them.
        if !live.strays.isEmpty { found.counts[.missing, default: 0] += live.strays.count }
        return found
    }

    /// What was found of some rows of a set.
    private struct Page {
        var all: [AppointmentID] = []
        var equal = 0
        /// How many live rows claim to be further than their events are.
        var further = 0
        var differing: [RowDifference.Kind: [AppointmentID]] = [:]
    }

    private func compare(_ rows: [AppointmentRow]) async throws(EventStoreError) -> Page {
        var page = Page(all: rows.map(\.appointment))
        let live = try await views.standing(page.all)
        var unsure: [(id: AppointmentID, version: Int)] = []
        for row in rows {
            let there = live[row.appointment]
            if there?.row == row {
                page.equal += 1
            } else if let there, there.row == nil || there.row?.version == row.version {
                page.differing[.changed, default: []].append(row.appointment)
            } else {
                unsure.append((row.appointment, row.version))
            }
        }
        let versions = Dictionary(unsure.map { ($0.id, $0.version) }) { $1 }
        for id in try await standingStill(unsure) {
            page.differing[live[id] == nil ? .added : .changed, default: []].append(id)
            if let version = live[id]?.row?.version, version > versions[id] ?? 0 { page.further += 1 }
        }
        return page
    }

    /// Of some appointments those that have no event after a version.
    private func standingStill(
        _ appointments: [(id: AppointmentID, version: Int)]
    ) async throws(EventStoreError) -> [AppointmentID] {
        let stand = try await inOrder(appointments) {
            (place: (id: AppointmentID, version: Int)) throws(EventStoreError) in
            try await self.store.head(of: place.id.stream).version <= place.version
        }
        return zip(appointments, stand).filter(\.1).map(\.0.id)
    }

    private func differences(
        _ kind: RowDifference.Kind, _ ids: [AppointmentID], _ record: SetRecord
    ) async throws(EventStoreError) -> [RowDifference] {
        if ids.isEmpty { return [] }
        let live = try await views.standing(ids)
        let rebuilt = try await records.rows(of: ids, in: record.generation, views)
        return ids.map { RowDifference(kind, $0, live: live[$0]?.row, rebuilt: rebuilt[$0]) }
    }
}

extension DynamoDBAppointmentView {
    func read(_ items: [Item]) throws(EventStoreError) -> [AppointmentRow] {
        try items.map { item throws(EventStoreError) in try row(item) }
    }
}

extension SetRecords {
    /// Some rows of a set.
    func rows(
        of appointments: [AppointmentID], in generation: Int, _ views: DynamoDBAppointmentView
    ) async throws(EventStoreError) -> [AppointmentID: AppointmentRow] {
        let items = try await table.items(
            appointments.map { id in .written { Self.key(id, of: generation, &$0) } })
        var found: [AppointmentID: AppointmentRow] = [:]
        for item in items {
            let row = try views.row(item)
            found[row.appointment] = row
        }
        return found
    }
}
