package import EventStore

/// A slot of a country.
package typealias CountrySlot = (country: Country, slot: Slot)

/// The slots that are listed, and the rules of changing them. A change is judged by what the agenda is afterwards, not
/// slot by slot: slots may move to each other's places.
package struct Agenda: Sendable {
    private var listed: [ScheduleID: Slot] = [:]
    private var owners: [ScheduleID: Country] = [:]
    private var held: Set<ScheduleID> = []

    package init() {}

    /// Notes a slot that is listed.
    package mutating func list(_ slot: Slot, of country: Country) {
        listed[slot.schedule] = slot
        owners[slot.schedule] = country
    }

    /// Notes that a slot is a country's.
    package mutating func give(_ schedule: ScheduleID, to country: Country) { owners[schedule] = country }

    /// Notes that an appointment holds a slot.
    package mutating func hold(_ schedule: ScheduleID) { held.insert(schedule) }

    /// A slot that is new or differs from what is listed.
    package struct Change: Sendable {
        package let country: Country
        package let slot: Slot
        package let isNew: Bool
    }

    /// What adding some slots would change. Of two slots with one id the last counts.
    ///
    /// - Parameter bookableFrom: refuses new and changed slots that nobody could book from this moment on; nil lets
    ///   them in.
    /// - Throws: `invalid`, with `SlotRefusals` as its cause: all that is refused, and nothing is to be written.
    package func changes(
        adding slots: [CountrySlot], bookableFrom: Timestamp? = nil
    ) throws(EventStoreError) -> [Change] {
        var refusals: [SlotRefusal] = []
        var places: [ScheduleID: Int] = [:]
        var changes: [Change] = []
        for (country, slot) in slots {
            let id = slot.schedule
            let old = listed[id]
            if let owner = owners[id], owner != country {
                refusals.append(SlotRefusal(id, .elsewhere))
                continue
            }
            if old == slot, places[id] == nil { continue }
            if old != slot, held.contains(id) { refusals.append(SlotRefusal(id, .held)) }
            if let bookableFrom, old != slot, let reason = slot.unbookable(in: country, from: bookableFrom) {
                refusals.append(SlotRefusal(id, .unbookable(reason)))
            }
            let change = Change(country: country, slot: slot, isNew: old == nil)
            if let place = places[id] { changes[place] = change } else { changes.append(change) }
            places[id] = changes.count - 1
        }
        refusals += overlaps(after: changes, places)
        if let refusal = SlotRefusals(refusals) { throw EventStoreError(refusal) }
        return changes
    }

    /// Where a medic would have two slots at a time. Slots that overlapped before, and stay as they are, are let be.
    private func overlaps(after changes: [Change], _ places: [ScheduleID: Int]) -> [SlotRefusal] {
        struct Medic: Hashable {
            let country: Country
            let medic: Int64
        }
        var days: [Medic: [(slot: Slot, isChanged: Bool)]] = [:]
        for change in changes {
            days[Medic(country: change.country, medic: change.slot.medic), default: []].append((change.slot, true))
        }
        for (id, slot) in listed where places[id] == nil {
            guard let country = owners[id] else { continue }
            let medic = Medic(country: country, medic: slot.medic)
            if let index = days.index(forKey: medic) { days.values[index].append((slot, false)) }
        }
        var refusals: [ScheduleID: ScheduleID] = [:]
        for var slots in days.values {
            slots.sort { ($0.slot.date, $0.slot.schedule) < ($1.slot.date, $1.slot.schedule) }
            // Slots are of one length: one that overlaps any overlaps its neighbour.
            for (first, second) in zip(slots, slots.dropFirst()) where first.slot.overlaps(second.slot) {
                if first.isChanged { refusals[first.slot.schedule] = second.slot.schedule }
                if second.isChanged { refusals[second.slot.schedule] = first.slot.schedule }
            }
        }
        return changes.compactMap { change in
            refusals[change.slot.schedule].map { SlotRefusal(change.slot.schedule, .overlaps($0)) }
        }
    }
}

/// A slot that is not added, and why.
package struct SlotRefusal: Equatable, Sendable {
    package let schedule: ScheduleID
    package let reason: Reason

    /// Why a slot is not added.
    package enum Reason: Equatable, Sendable {
        /// An appointment holds it, and it would change.
        case held
        /// It is another country's.
        case elsewhere
        /// Its medic has another slot at the same time.
        case overlaps(ScheduleID)
        case unbookable(UnbookableReason)
    }

    package init(_ schedule: ScheduleID, _ reason: Reason) { (self.schedule, self.reason) = (schedule, reason) }

    /// What is wrong and what to do, without a final stop.
    package var message: String {
        let slot = "schedule \(schedule.number)"
        switch reason {
        case .held: return "\(slot) is held by an appointment: leave it as it is"
        case .elsewhere: return "\(slot) belongs to another country: choose another scheduleId"
        case .overlaps(let other):
            return "\(slot) overlaps schedule \(other.number) of the same medic: move one of them, or change its medic"
        case .unbookable(.past): return "\(slot) begins in the past: correct its date, or leave it out"
        case .unbookable(.closed):
            return "\(slot) is outside the opening hours of its country: correct its date, or leave it out"
        case .unbookable(.betweenMinutes): return "\(slot) does not begin on a whole minute: correct its date"
        }
    }
}

/// All that was refused of some slots.
package struct SlotRefusals: Error, Sendable {
    package let refusals: [SlotRefusal]

    /// - Returns: nil when nothing was refused.
    package init?(_ refusals: [SlotRefusal]) {
        if refusals.isEmpty { return nil }
        self.refusals = refusals
    }
}

extension EventStoreError {
    /// Slots that are not added, none of them.
    package init(_ refused: SlotRefusals) {
        let more = refused.refusals.count - 1
        self.init(
            .invalid, message: (refused.refusals.first?.message ?? "") + (more > 0 ? "; \(more) more are refused" : ""),
            cause: refused)
    }

    /// Why each slot was refused, where slots were.
    package var slotRefusals: [SlotRefusal]? { (cause as? SlotRefusals)?.refusals }
}

/// How slots are added to a database.
package struct SlotAdmission: Sendable {
    /// New and changed slots that nobody could book from this moment on are refused; nil lets them in.
    package let bookableFrom: Timestamp?
    /// Whether nothing is written, whatever there is to refuse.
    package let checksOnly: Bool
    /// Told how many of how many slots are written.
    package let progress: @Sendable (_ done: Int, _ all: Int) -> Void

    package init(
        bookableFrom: Timestamp? = nil, checksOnly: Bool = false,
        progress: @escaping @Sendable (_ done: Int, _ all: Int) -> Void = { _, _ in }
    ) {
        (self.bookableFrom, self.checksOnly, self.progress) = (bookableFrom, checksOnly, progress)
    }
}
