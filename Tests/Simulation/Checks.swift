import Appointments
import EventStore
import Handlers
import MemoryEngine
import Projections

/// Watches a run for what must hold after every step (section 11 of the design: the invariants). The first thing that
/// does not hold ends the run.
final class Checks {
    /// What the ledger is known to hold of a stream, kept apart from the store.
    private struct Shadow {
        var leaves: [Hash] = []
        var state = Appointment()
        var events: [RecordedEvent] = []
        /// The version of the last event that a writer was told of.
        var acknowledged = 0
        /// How often its request was published.
        var publications = 0
    }

    private(set) var violation: String?
    private var shadows: [StreamID: Shadow] = [:]
    private var eventIDs: Set<Identifier> = []
    /// Which appointment the ledger says holds a slot.
    private var holders: [ScheduleID: AppointmentID] = [:]
    private var openCount = 0
    private var seenVersions: [AppointmentID: Int] = [:]
    private var receives: [String: Int] = [:]
    /// Since when a message is hidden, or when it was hidden anew, in the time that no clock step touches.
    private var hidden: [String: Int64] = [:]
    private var rounds: [AppointmentID: (version: Int, count: Int)] = [:]
    private var mirrorReached: [StreamID: Int] = [:]
    private var poison: Set<[UInt8]> = []
    /// What each idempotency key led to.
    private var keys: [String: AppointmentID] = [:]

    var appointmentCount: Int { shadows.count }
    /// How many appointments have not ended.
    var open: Int { openCount }

    func violate(_ what: @autoclosure () -> String) { if violation == nil { violation = what() } }

    /// Complains when something does not hold.
    private func require(_ holds: Bool, _ what: @autoclosure () -> String) { if !holds { violate(what()) } }

    /// A stream's appointment, of those that are open, by a number.
    func openAppointment(_ number: UInt64) -> AppointmentID? {
        let open = shadows.filter { $0.value.state.end == nil }.keys.sorted()
        return open.isEmpty ? nil : open[Int(number % UInt64(open.count))].appointment
    }

    func completedAppointment(_ number: UInt64) -> AppointmentID? {
        let completed = shadows.filter { $0.value.state.end == .completed }.keys.sorted()
        return completed.isEmpty ? nil : completed[Int(number % UInt64(completed.count))].appointment
    }
}

// MARK: - The ledger

extension Checks {
    /// Takes note of an event that landed.
    ///
    /// - Returns: false for one that was there before.
    func appended(_ event: RecordedEvent) -> Bool {
        var shadow = shadows[event.stream] ?? Shadow()
        if event.version <= shadow.leaves.count {
            require(shadow.leaves[event.version - 1] == event.leaf, "version \(event.place) was overwritten")
            return false
        }
        require(event.version == shadow.leaves.count + 1, "\(event.place) leaves a hole")
        require(event.entry.previous == shadow.leaves.last, "\(event.place) does not name the event before it")
        require(Hash.leaf(of: event.entry.bytes) == event.leaf, "\(event.place) does not hash to its leaf")
        require(eventIDs.insert(event.entry.id).inserted, "the id of \(event.place) was used before")
        require(!event.entry.bytes.holdsQuotedDigits, "\(event.place) holds personal data")
        guard let fact = try? Codec.decode(event.entry) else {
            violate("\(event.place) can't be read")
            return true
        }
        require(shadow.state.end == nil, "\(event.place) comes after the end of its stream")
        require(shadow.state.permits(fact), "\(event.place) is out of order: \(event.entry.type)")
        shadow.leaves.append(event.leaf)
        shadow.events.append(event)
        let wasOpen = shadow.state.end == nil && !shadow.events.dropLast().isEmpty
        shadow.state.evolve(fact)
        if !wasOpen { openCount += 1 }
        if shadow.state.end != nil { openCount -= 1 }
        hold(event, fact, shadow.state)
        shadows[event.stream] = shadow
        return true
    }

    /// Keeps the ledger's own book of who holds which slot.
    private func hold(_ event: RecordedEvent, _ fact: AppointmentEvent, _ state: Appointment) {
        let appointment = event.stream.appointment
        switch fact {
        case .countryProcessed(let processed):
            let holder = holders[processed.slot.schedule]
            require(holder == nil || holder == appointment, "slot \(processed.slot.schedule.number) has two holders")
            holders[processed.slot.schedule] = appointment
        case .failed:
            if let slot = state.booking?.slot, holders[slot.schedule] == appointment {
                holders[slot.schedule] = nil
            }
        case .requested, .routed, .completed: break
        }
    }

    func acknowledged(_ event: RecordedEvent) {
        let known = acknowledgedVersion(of: event.stream)
        shadows[event.stream]?.acknowledged = max(known, event.version)
    }

    func acknowledgedVersion(of stream: StreamID) -> Int { shadows[stream]?.acknowledged ?? 0 }

    /// Every read is a prefix of the final list, and holds what was acknowledged before it began.
    func read(_ events: [RecordedEvent], of stream: StreamID, from version: Int, knowing acknowledged: Int) {
        let leaves = shadows[stream]?.leaves ?? []
        let end = version - 1 + events.count
        require(end >= acknowledged, "a read of \(stream) misses version \(acknowledged), which was acknowledged")
        for (place, event) in events.enumerated() {
            require(
                event.version == version + place && leaves.indices.contains(event.version - 1)
                    && leaves[event.version - 1] == event.leaf, "a read of \(stream) is no prefix of it")
        }
    }

    /// Takes note of an answer to a request for an appointment.
    func answered(_ appointment: AppointmentID, key: String?, isReplay: Bool) {
        require(shadows[appointment.stream] != nil, "an acknowledged request is not in the ledger: \(appointment)")
        guard let key else { return }
        require(keys[key] == nil || keys[key] == appointment, "one idempotency key led to two appointments")
        keys[key] = appointment
    }

    /// What the ledger holds of an appointment; nil where it has none.
    func row(_ appointment: AppointmentID, version: Int, insured: InsuredID?) -> AppointmentRow? {
        guard let events = shadows[appointment.stream]?.events, version <= events.count else { return nil }
        return try? AppointmentProjection.fold(Array(events.prefix(version)), insured: insured)
    }
}

// MARK: - What is derived

extension Checks {
    /// Rows are never ahead of their events, never go back, and are the fold of their events.
    func wrote(_ rows: [AppointmentRow], in views: MemoryAppointmentView) {
        for written in rows {
            guard let row = views.rowNow(written.appointment) else { continue }
            let seen = seenVersions[row.appointment] ?? 0
            require(row.version >= seen, "the row of \(row.appointment) went back from version \(seen)")
            if row.version > seen || row.version == written.version {
                let fold = self.row(row.appointment, version: row.version, insured: row.insured)
                require(row == fold, "the row of \(row.appointment) is not the fold of its \(row.version) events")
            }
            seenVersions[row.appointment] = max(row.version, seen)
        }
    }

    /// The router's checkpoint passes only what was routed, or is parked.
    func routed(_ events: [RecordedEvent], parked: [ParkedEvent]) {
        for event in events where event.entry.type == EventType.requested.rawValue {
            guard let shadow = shadows[event.stream] else { continue }
            require(
                shadow.publications > 0 || shadow.state.booking != nil || shadow.state.end != nil
                    || parked.contains { $0.appointment == event.stream.appointment },
                "the router passed \(event.stream) without having published it")
        }
    }

    /// The mirror has every entry once, and in the order of its stream.
    func mirrored(_ entries: ArraySlice<RecordedEvent>) {
        for entry in entries {
            let leaves = shadows[entry.stream]?.leaves ?? []
            require(
                leaves.indices.contains(entry.version - 1) && leaves[entry.version - 1] == entry.leaf,
                "the mirror holds an entry that the store does not: \(entry.place)")
            require(
                entry.version == mirrorReached[entry.stream, default: 0] + 1,
                "the mirror holds \(entry.place) out of order or twice")
            mirrorReached[entry.stream] = entry.version
        }
    }

    /// The mirror was put back to an older copy.
    func mirrorRestored(to entries: [RecordedEvent]) {
        mirrorReached = [:]
        for entry in entries { mirrorReached[entry.stream] = entry.version }
    }
}

// MARK: - Messages

extension Checks {
    func published(_ body: [UInt8]) {
        require(!body.holdsQuotedDigits, "a message holds personal data")
        guard let message = try? CountryMessage(body: body) else { return violate("a message can't be read") }
        let shadow = shadows[message.appointment.stream]
        switch message.kind {
        case .requested:
            require(shadow?.state.topic != nil, "\(message.appointment) was published before `routed` was appended")
            shadows[message.appointment.stream]?.publications += 1
        case .failed:
            require(shadow?.state.status == .failed, "\(message.appointment) was published as failed, and is not")
        }
    }

    /// What is announced has happened.
    func announced(_ detail: [UInt8]) {
        require(!detail.holdsQuotedDigits, "a message on the bus holds personal data")
        let id = (try? JSONValue(detail))?["eventId"]?.text.flatMap { Identifier($0) }
        require(id.map(eventIDs.contains) ?? false, "an event was announced before it was appended")
    }

    func received(_ message: ReceivedMessage, at time: Int64) {
        hidden[message.id] = time
        receives[message.id, default: 0] += 1
        require(
            receives[message.id, default: 0] <= QueueSettings.maximumReceives,
            "message \(message.id) was received more often than it may be")
    }

    /// Takes note that messages may be hidden from now on; a receipt begins with the id of its message.
    func hid(_ receipts: [String], at time: Int64) {
        for receipt in receipts {
            if let id = receipt.split(separator: "/").first { hidden[String(id)] = time }
        }
    }

    /// Nothing waits longer than its life, whatever the clock does.
    ///
    /// - Parameter messages: all that are hidden now, in whatever queue. One that was seen otherwise begins anew: a
    ///   clock that steps back an hour lets it be received, and hides it once more when that hour is over.
    func waits(_ messages: [String], at time: Int64) {
        hidden = Dictionary(uniqueKeysWithValues: messages.map { ($0, hidden[$0] ?? time) })
        for message in messages {
            let since = hidden[message] ?? time
            require(
                time - since <= QueueSettings.visibilityMilliseconds,
                "message \(message) is hidden for \((time - since) / 1000) s: longer than its visibility")
        }
    }

    func redriven(_ id: String) { receives[id] = 0 }

    func sweptRound(of appointment: AppointmentID, version: Int) {
        var had = rounds[appointment] ?? (version, 0)
        if had.version != version { had = (version, 0) }
        had.count += 1
        require(had.count <= Sweeper.rounds, "\(appointment) was sent round \(had.count) times at version \(version)")
        rounds[appointment] = had
    }

    func released(_ appointment: AppointmentID) {
        require(
            shadows[appointment.stream]?.state.status == .failed,
            "\(appointment) gave its slot back without having failed")
    }

    func poisoned(_ body: [UInt8]) { poison.insert(body) }

    /// A dead letter that nobody can handle was seen, and taken away.
    func buried(_ body: [UInt8]) { poison.remove(body) }

    func isPoison(_ body: [UInt8]) -> Bool { poison.contains(body) }
}

// MARK: - At rest

extension Checks {
    /// What must hold once nothing moves any more.
    func atRest(_ world: World) {
        for (stream, shadow) in shadows.sorted(by: { $0.key < $1.key }) {
            require(shadow.state.end != nil, "\(stream) never ended")
            require(world.store.readNow(stream).map(\.leaf) == shadow.leaves, "\(stream) is not what was appended")
            let row = world.views.rowNow(stream.appointment)
            require(row?.version == shadow.leaves.count, "the row of \(stream) is missing or behind")
            require(
                row == (try? AppointmentProjection.fold(shadow.events, insured: row?.insured)),
                "the row of \(stream) is not the fold of its events")
            require(row?.insured != nil, "the row of \(stream) lost its person")
        }
        require(world.views.contents.rows.count == shadows.count, "the view has rows that no event explains")
        let mirror = world.mirror.contents
        require(
            mirror.entries.count == world.store.eventsNow(after: 0, limit: .max).count,
            "the mirror has \(mirror.entries.count) entries, and the store has more or fewer")
        require(mirror.rows == world.views.contents.rows, "the mirror's rows are not those of the view")
        let held = world.countries.values.flatMap { $0.schedulesNow() }.filter { $0.holder != nil }
            .map { "\($0.slot.schedule.number) \($0.holder?.description ?? "")" }.sorted()
        let booked = holders.map { "\($0.key.number) \($0.value)" }.sorted()
        let (stray, missing) = (held.filter { !booked.contains($0) }, booked.filter { !held.contains($0) })
        require(stray.isEmpty, "slots are held that nobody has booked: \(stray.prefix(3))")
        require(missing.isEmpty, "slots are booked that nobody holds: \(missing.prefix(3))")
        require(mirror.conflicts.isEmpty, "the mirror kept \(mirror.conflicts.count) conflicts")
        require(poison.isEmpty, "\(poison.count) messages that nobody can read are neither handled nor dead")
    }
}

extension Appointment {
    /// Whether an event may follow, by the order that the design gives; written apart from `decide`.
    fileprivate func permits(_ event: AppointmentEvent) -> Bool {
        switch event {
        case .requested: request == nil
        case .routed: request != nil && topic == nil && booking == nil
        case .countryProcessed: topic != nil && booking == nil
        case .completed: booking != nil
        case .failed: request != nil
        }
    }
}

extension [UInt8] {
    /// Whether the bytes hold five digits in quotes, as an insured id would stand in JSON.
    var holdsQuotedDigits: Bool {
        withUnsafeBufferPointer { bytes in
            guard bytes.count >= 7 else { return false }
            var place = 0
            while place <= bytes.count - 7 {
                guard bytes[place] == UInt8(ascii: "\""), bytes[place + 6] == UInt8(ascii: "\"") else {
                    place += 1
                    continue
                }
                if bytes[(place + 1)...(place + 5)].allSatisfy({ (48...57).contains($0) }) { return true }
                place += 1
            }
            return false
        }
    }
}
