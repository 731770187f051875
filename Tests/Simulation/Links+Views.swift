import Appointments
import EventStore
import Handlers
import MemoryEngine
import Projections

extension Links: AppointmentView {
    func row(_ appointment: AppointmentID) async throws(EventStoreError) -> AppointmentRow? {
        try await call(.look) { () throws(EventStoreError) in world.views.rowNow(appointment) }
    }

    func rows(
        _ filter: RowFilter, after place: RowPlace?, offset: Int, limit: Int
    ) async throws(EventStoreError) -> [AppointmentRow] {
        try await call(.look) { () async throws(EventStoreError) in
            try await world.views.rows(filter, after: place, offset: offset, limit: limit)
        }
    }

    func count(_ filter: RowFilter) async throws(EventStoreError) -> Int {
        try await call(.look) { () async throws(EventStoreError) in try await world.views.count(filter) }
    }

    func counts() async throws(EventStoreError) -> [RowCount] {
        try await call(.look) { () async throws(EventStoreError) in try await world.views.counts() }
    }

    func idle(
        _ status: AppointmentStatus, quiet: Quiet, after place: RowPlace?, limit: Int
    ) async throws(EventStoreError) -> [AppointmentRow] {
        try await call(.idle) { () async throws(EventStoreError) in
            try await world.views.idle(status, quiet: quiet, after: place, limit: limit)
        }
    }
}

extension Links: ConsumerStore {
    func checkpoint(of projection: ConsumerName) async throws(EventStoreError) -> Int {
        try await call(.checkpoint) { () async throws(EventStoreError) in
            try await world.views.checkpoint(of: projection)
        }
    }

    func rows(
        of appointments: [AppointmentID]
    ) async throws(EventStoreError) -> [AppointmentID: AppointmentRow] {
        try await call(.rows) { () async throws(EventStoreError) in try await world.views.rows(of: appointments) }
    }

    func commit(
        _ commit: ProjectionCommit, of projection: ConsumerName, expecting checkpoint: Int
    ) async throws(EventStoreError) -> Bool {
        if world.plan.mutant == .checkpointBeforeRows, !commit.rows.isEmpty {
            let moved = try await call(.commit) { () async throws(EventStoreError) in
                try await world.views.commit(
                    ProjectionCommit(checkpoint: commit.checkpoint), of: projection, expecting: checkpoint)
            }
            if moved { try await put(commit.rows, parking: commit.parked, by: projection) }
            return moved
        }
        let moved = try await call(.commit) { () async throws(EventStoreError) -> Bool in
            let moved = try await world.views.commit(commit, of: projection, expecting: checkpoint)
            if moved, projection == RouterPump.projection {
                world.checks.routed(
                    world.store.eventsNow(after: checkpoint, limit: commit.checkpoint - checkpoint),
                    parked: world.views.contents.parked[projection] ?? [])
            }
            return moved
        }
        if !moved { world.sightings.see(.staleWorkerFenced) }
        world.checks.wrote(commit.rows, in: world.views)
        return moved
    }

    func put(
        _ rows: [AppointmentRow], parking parked: [ParkedEvent], by projection: ConsumerName
    ) async throws(EventStoreError) {
        try await call(.put) { () async throws(EventStoreError) in
            if world.plan.mutant == .viewWithoutVersionCheck {
                world.views.change { for row in rows { $0.rows[row.appointment] = row } }
            }
            try await world.views.put(rows, parking: parked, by: projection)
        }
        world.checks.wrote(rows, in: world.views)
    }

    func parked(by projection: ConsumerName) async throws(EventStoreError) -> [ParkedEvent] {
        try await call(.parked) { () async throws(EventStoreError) in try await world.views.parked(by: projection) }
    }

    func unpark(
        _ appointment: AppointmentID, upTo version: Int, from projection: ConsumerName
    ) async throws(EventStoreError) {
        try await call(.unpark) { () async throws(EventStoreError) in
            try await world.views.unpark(appointment, upTo: version, from: projection)
        }
    }
}

extension Links: SweepLog {
    func beginRound(
        of appointment: AppointmentID, version: Int, now: Timestamp, quiet: Quiet, maximum: Int
    ) async throws(EventStoreError) -> Bool {
        let begins = try await call(.round) { () throws(EventStoreError) in
            world.plan.mutant == .sweeperNeverTires
                || world.sweepLog.beginRoundNow(
                    of: appointment, version: version, now: now, quiet: quiet, maximum: maximum)
        }
        if begins {
            world.sightings.see(.sweeper)
            world.checks.sweptRound(of: appointment, version: version)
        }
        return begins
    }

    func stuck(rounds: Int, quiet: Quiet) async throws(EventStoreError) -> [AppointmentID] {
        try await call(.round) { () throws(EventStoreError) in
            world.sweepLog.stuckNow(rounds: rounds, quiet: quiet)
        }
    }
}

extension Links: MirrorStore {
    func state() async throws(EventStoreError) -> MirrorState {
        try await call(.mirrorState) { () async throws(EventStoreError) in try await world.mirror.state() }
    }

    func streams(_ streams: [StreamID]) async throws(EventStoreError) -> [StreamID: MirroredStream] {
        try await call(.mirrorStreams) { () async throws(EventStoreError) in
            try await world.mirror.streams(streams)
        }
    }

    func entries(at places: [EventPlace]) async throws(EventStoreError) -> [EventPlace: MirroredEntry] {
        try await call(.mirrorStreams) { () async throws(EventStoreError) in
            try await world.mirror.entries(at: places)
        }
    }

    func append(_ batch: MirrorBatch, expecting state: MirrorState) async throws(EventStoreError) -> Bool {
        if world.plan.mutant == .mirrorCheckpointBeforeEntries, !batch.entries.isEmpty {
            let moved = MirrorBatch(checkpoint: batch.checkpoint)
            guard
                try await call(
                    .mirrorAppend,
                    { () async throws(EventStoreError) in try await world.mirror.append(moved, expecting: state) })
            else { return false }
            let rest = MirrorState(position: state.position, checkpoint: batch.checkpoint, owner: state.owner)
            return try await call(.mirrorAppend) { () async throws(EventStoreError) in
                let isWritten = try await world.mirror.append(batch, expecting: rest)
                if isWritten { world.checks.mirrored(world.mirror.contents.entries.suffix(batch.entries.count)) }
                return isWritten
            }
        }
        let isWritten = try await call(.mirrorAppend) { () async throws(EventStoreError) in
            let isWritten = try await world.mirror.append(batch, expecting: state)
            if isWritten { world.checks.mirrored(world.mirror.contents.entries.suffix(batch.entries.count)) }
            return isWritten
        }
        if !isWritten { world.sightings.see(.staleWorkerFenced) }
        return isWritten
    }

    func growTree(limit: Int) async throws(EventStoreError) -> Bool {
        try await call(.mirrorState) { () async throws(EventStoreError) in
            try await world.mirror.growTree(limit: limit)
        }
    }

    func conflicts(limit: Int) async throws(EventStoreError) -> [MirrorConflict] {
        try await call(.mirrorState) { () async throws(EventStoreError) in
            try await world.mirror.conflicts(limit: limit)
        }
    }

    func places(after position: Int, limit: Int) async throws(EventStoreError) -> [MirroredPlace] {
        try await call(.mirrorStreams) { () async throws(EventStoreError) in
            try await world.mirror.places(after: position, limit: limit)
        }
    }

    func mend(
        _ entries: [RecordedEvent], removing places: [MirroredPlace]
    ) async throws(EventStoreError) -> Bool {
        try await call(.mirrorAppend) { () async throws(EventStoreError) in
            try await world.mirror.mend(entries, removing: places)
        }
    }

    func cut(_ places: [MirroredPlace], expecting state: MirrorState) async throws(EventStoreError) -> Bool {
        try await call(.mirrorAppend) { () async throws(EventStoreError) in
            try await world.mirror.cut(places, expecting: state)
        }
    }

    func claim(for owner: LedgerIdentity, expecting state: MirrorState) async throws(EventStoreError) -> Bool {
        try await call(.mirrorAppend) { () async throws(EventStoreError) in
            try await world.mirror.claim(for: owner, expecting: state)
        }
    }

    func rewind(
        to position: Int, for owner: LedgerIdentity?, expecting state: MirrorState
    ) async throws(EventStoreError) -> Int? {
        try await call(.mirrorAppend) { () async throws(EventStoreError) in
            try await world.mirror.rewind(to: position, for: owner, expecting: state)
        }
    }

    func mend(_ rows: [AppointmentID: MirroredFold]) async throws(EventStoreError) -> Set<AppointmentID> {
        try await call(.mirrorAppend) { () async throws(EventStoreError) in try await world.mirror.mend(rows) }
    }

    func appointments(in range: StreamRange) async throws(EventStoreError) -> [AppointmentID] {
        try await call(.mirrorStreams) { () async throws(EventStoreError) in
            try await world.mirror.appointments(in: range)
        }
    }

    func conflictCount() async throws(EventStoreError) -> Int {
        try await call(.mirrorState) { () async throws(EventStoreError) in try await world.mirror.conflictCount() }
    }
}
