package import Appointments
package import EventStore

/// A set of the view's tables that stands next to the live one.
package struct ViewCopy: Equatable, Sendable {
    package let name: String
    /// The rule that its rows are made by.
    package let projection: ConsumerName
    /// The head of the log when it was begun. What was appended later is taken in once all streams are written.
    package let began: Int
    /// The last stream that was written while it is being filled.
    package var through: StreamID?
    /// How many events are in it.
    package var events: Int
    /// How far it has come once all streams are in; nil while it is being filled.
    package var position: Int?
    /// When it was begun, or came to stand next to the live one.
    package let at: Timestamp
    /// When it last came further; nil where the engine does not know.
    package let moved: Timestamp?

    package init(
        name: String, projection: ConsumerName, began: Int, through: StreamID? = nil, events: Int = 0,
        position: Int? = nil, at: Timestamp, moved: Timestamp? = nil
    ) {
        (self.name, self.projection, self.began) = (name, projection, began)
        (self.through, self.events, self.position, self.at) = (through, events, position, at)
        self.moved = moved
    }

    /// Whether somebody works on it: it has come further within the last two minutes. One that was refused, or whose
    /// worker was killed, stays, and nobody works on it.
    package func isMoving(at now: Timestamp) -> Bool {
        // One that moved later than now was written by a clock that was ahead.
        (-120_000..<120_000).contains(now.milliseconds - (moved ?? at).milliseconds)
    }

    /// Whether both are the same set, equally far. When it moved says nothing about what is in it.
    package static func == (left: ViewCopy, right: ViewCopy) -> Bool {
        (left.name, left.projection, left.began, left.at) == (right.name, right.projection, right.began, right.at)
            && (left.through, left.events, left.position) == (right.through, right.events, right.position)
    }

    /// What a rebuild writes before it takes the live set's place.
    package static let next = "next"
    /// What a rebuild writes that only compares.
    package static let dryRun = "dry_run"
    /// The set that was live before the last swap, where it was kept.
    package static let kept = "kept"

    /// Whether a name can be one of a set: 1 to 32 of `a-z`, `0-9` and `_`.
    package static func isName(_ name: String) -> Bool {
        (1...32).contains(name.utf8.count)
            && name.utf8.allSatisfy { (97...122).contains($0) || $0.isDigit || $0 == 0x5F }
    }
}

/// An appointment whose row is not the same in the live set and in another.
package struct RowDifference: Equatable, Sendable {
    package let kind: Kind
    package let appointment: AppointmentID
    /// The row of the live set; nil where it has none, or does not give it out.
    package let live: AppointmentRow?
    /// The row of the other set; nil where it has none.
    package let rebuilt: AppointmentRow?

    /// How the sets differ.
    package enum Kind: String, CaseIterable, Sendable {
        /// The live set lacks the row.
        case added
        /// The other set lacks the row: no event explains it.
        case missing
        /// Both have the row, with other content.
        case changed
    }

    package init(_ kind: Kind, _ appointment: AppointmentID, live: AppointmentRow?, rebuilt: AppointmentRow?) {
        (self.kind, self.appointment, self.live, self.rebuilt) = (kind, appointment, live, rebuilt)
    }
}

/// What a comparison of the live set with another one found.
package struct SetComparison: Equatable, Sendable {
    /// How many rows both sets have and agree on.
    package var equal = 0
    package var counts: [RowDifference.Kind: Int] = [:]
    /// The first of them, by kind and id; the others are counted.
    package var first: [RowDifference] = []
    /// How many of the changed rows claim in the live set to be further than their events are.
    package var further = 0

    package init() {}

    package var differences: Int { counts.values.reduce(0, +) }

    /// Takes a difference in.
    package mutating func add(_ difference: RowDifference, limit: Int) {
        counts[difference.kind, default: 0] += 1
        if let live = difference.live, let rebuilt = difference.rebuilt, live.version > rebuilt.version {
            further += 1
        }
        if first.count < limit { first.append(difference) }
    }
}

/// What became of a swap.
package enum SwapOutcome: Equatable, Sendable {
    /// The set is the live one, up to this position.
    case swapped(position: Int)
    /// Too much was appended since the set was brought up: bring it up and try again.
    case behind
    /// The live set has so many rows that the other one lacks, or has in an older state. Nothing was changed.
    case uncovered(rows: Int)
    /// An operator holds the projection whose rows are live, since then. Nothing was changed.
    case held(since: Timestamp)
}

/// The sets of the view's tables: one is live, others stand next to it.
package protocol ViewCopies: Sendable {
    /// The sets next to the live one, by name.
    func sets() async throws(EventStoreError) -> [ViewCopy]

    /// Begins an empty set; gives the one that stands there already under this name and projection, as far as it came.
    ///
    /// - Parameter head: the head of the log now.
    /// - Throws: `unavailable`, or `invalid` for a name that is none.
    func begin(
        _ name: String, of projection: ConsumerName, head: Int, now: Timestamp
    ) async throws(EventStoreError) -> ViewCopy

    /// Writes the rows of the streams after `set.through`, up to and with another, in the order of ids; durable
    /// together with the mark that they are in.
    ///
    /// - Throws: `unavailable`, also when another worker has filled the set meanwhile.
    func fill(
        _ set: ViewCopy, with rows: [AppointmentRow], through stream: StreamID, events: Int
    ) async throws(EventStoreError) -> ViewCopy

    /// Ends the filling: the set has every event up to `began`, and its indexes are built.
    func seal(_ set: ViewCopy) async throws(EventStoreError)

    /// Takes in the events that come next, about `limit`.
    ///
    /// - Returns: how many there were; less than `limit` when the set has come to the head.
    /// - Throws: `unavailable`, or `corrupt`, naming the event, for one that can't be taken in.
    func follow(_ name: String, with projection: Projection, limit: Int) async throws(EventStoreError) -> Int

    /// Compares the live set with another row by row, in one snapshot where the engine has one. Appointments that have
    /// moved since the other one was brought up are left out.
    func compare(_ name: String, limit: Int) async throws(EventStoreError) -> SetComparison

    /// Takes in what is left and puts the set in the place of the live one, in one step: a reader sees the old or the
    /// new set, never half. An engine without a transaction over a table does it row by row: a reader sees each
    /// appointment whole, and never an older state of it. The parked events that it holds are unparked. A projection of
    /// the same name with another number, whose rows were live, is held from then on.
    ///
    /// - Parameter kept: the name under which the old set stays next to the live one; without it, it is dropped.
    /// - Parameter coversAll: refuse when the live set has a row that the other lacks or has in an older state.
    func swap(
        _ name: String, with projection: Projection, keepingAs kept: String?, coversAll: Bool, now: Timestamp
    ) async throws(EventStoreError) -> SwapOutcome

    /// Puts a row in the place of whatever the live set has of an appointment; nil takes it away. The appointment's
    /// parked events that the row holds are unparked.
    ///
    /// - Returns: false when its events do not end where the row does: nothing was written, fold them again.
    func mend(
        _ appointment: AppointmentID, with row: AppointmentRow?, of projection: ConsumerName
    ) async throws(EventStoreError) -> Bool

    /// Takes away a row of the live set that stands under an id that no program writes, as `RowScan.keys` names it;
    /// false when there is none.
    func removeStray(_ key: String) async throws(EventStoreError) -> Bool

    /// Takes a set away; false when there is none.
    func drop(_ name: String) async throws(EventStoreError) -> Bool
}

extension ViewCopy {
    /// - Throws: `invalid` for a name that no set can have.
    package static func check(_ name: String) throws(EventStoreError) {
        if isName(name) { return }
        throw EventStoreError(
            .invalid, message: "'\(name)' is no name of a table set: take 1 to 32 of a to z, 0 to 9 and _")
    }

    /// What is thrown for a set that was filled by another worker meanwhile.
    package static func moved(_ name: String) -> EventStoreError {
        EventStoreError(
            .unavailable, message: "another rebuild works on the table set \(name): let it finish, or end it first")
    }

    /// What is thrown for a set that is not there, or not whole yet.
    package static func unknown(_ name: String) -> EventStoreError {
        EventStoreError(
            .invalid, message: "there is no whole table set \(name): `ledger projections list` shows what there is")
    }
}
