package import Appointments
package import EventStore

/// Something that `verify` found to contradict what it should be.
package struct Finding: Equatable, Sendable {
    package let kind: Kind
    package let stream: StreamID?
    package let version: Int?
    package let position: Int?
    /// What a row stands under that belongs to no appointment, or the name of a consumer.
    package let key: String?
    /// The slot that it is about, where it comes from comparing a country's database.
    package let slot: ComparedSlot?
    /// What is wrong, as a lowercase sentence without personal data.
    package let message: String

    /// The kinds of damage.
    package enum Kind: String, CaseIterable, Sendable {
        /// The stored bytes do not hash to the stored leaf.
        case leafDiffers = "leaf-differs"
        /// The store refuses to give an event out, or its bytes are no entry that this program knows.
        case entryUnreadable = "entry-unreadable"
        /// Something stands among the events that is none.
        case foreignItem = "foreign-item"
        /// An event stands before the first position or after the head of the log, where nobody comes to it.
        case outsideLog = "outside-log"
        /// A record of a chain, such as who looked at what, is not what it was: it, or the one before it.
        case recordDiffers = "record-differs"
        /// A chain of records does not end as it did: some were taken off its end.
        case recordMissing = "record-missing"
        /// The counts that are kept with the appends are not those of the events.
        case countDiffers = "count-differs"
        /// A stored hash of the tree, or its edge, is not what the entries make.
        case treeDiffers = "tree-differs"
        /// A tile of the tree is not stored.
        case treeMissing = "tree-missing"
        /// A tile is stored that no entries make.
        case treeOutside = "tree-outside"
        /// The tree can't be recomputed, since an entry is missing or can't be read.
        case treeUnknown = "tree-unknown"
        /// The log is smaller than the last checkpoint that was signed of it: its end was cut off.
        case logCutOff = "log-cut-off"
        /// The entries do not make the root that was signed at the size of the last checkpoint.
        case logForked = "log-forked"
        /// The last checkpoint is not signed by the log's key, or no checkpoint.
        case checkpointUnreadable = "checkpoint-unreadable"
        /// Positions of the log are missing or stand twice.
        case positionGap = "position-gap"
        /// Versions of a stream are missing or stand twice.
        case versionGap = "version-gap"
        /// An entry does not name the leaf of the version before.
        case previousDiffers = "previous-differs"
        /// Sealed bytes do not hash to what their entry says, or do not open.
        case sealedDiffers = "sealed-differs"
        /// An appointment has events and no row.
        case rowMissing = "row-missing"
        /// A row has not come as far as its events.
        case rowBehind = "row-behind"
        /// A row is not the fold of its events.
        case rowDiffers = "row-differs"
        /// The view refuses to give a row out.
        case rowUnreadable = "row-unreadable"
        /// A consumer's checkpoint is further than the last event: it takes in nothing that comes.
        case checkpointAhead = "checkpoint-ahead"
        /// The mirror lacks an event.
        case mirrorMissing = "mirror-missing"
        /// The mirror has an event that the store does not.
        case mirrorExtra = "mirror-extra"
        /// The mirror holds another event in the same place.
        case mirrorDiffers = "mirror-differs"
        /// The mirror has an event at another position.
        case mirrorMisplaced = "mirror-misplaced"
        /// An entry of the mirror contradicts itself, its columns or its chain.
        case mirrorDamaged = "mirror-damaged"
        /// A row of the mirror is not the fold of the mirror's entries.
        case mirrorRowDiffers = "mirror-row-differs"
        /// The mirror keeps an event that contradicts what it holds.
        case mirrorConflict = "mirror-conflict"
        /// The mirror's checkpoint is further than what it has taken in: it passes over what comes.
        case mirrorCheckpointAhead = "mirror-checkpoint-ahead"
        /// A row has no events.
        case rowWithoutEvents = "row-without-events"
        /// A record of a change of API keys does not follow the one before.
        case keyRecordBroken = "key-record-broken"
        /// An API key is not what its records say.
        case keyDiffers = "key-differs"
        /// A country's database has a slot held by an appointment that nobody asked for.
        case claimUnexplained = "claim-unexplained"
        /// A failed appointment still holds a slot.
        case claimOfFailed = "claim-of-failed"
        /// An appointment holds another slot than its events say, or for another person.
        case claimDiffers = "claim-differs"
        /// A booked appointment holds no slot.
        case claimMissing = "claim-missing"
        /// Two booked appointments have one slot.
        case slotTwice = "slot-twice"
        /// Two booked appointments of one person overlap.
        case personTwice = "person-twice"
        /// Two slots of one medic that are still to come overlap.
        case medicTwice = "medic-twice"
    }

    /// What ledger and country's database say of a slot.
    package struct ComparedSlot: Equatable, Sendable {
        package let country: Country
        /// The slot by the appointment's events.
        package let booked: ScheduleID?
        /// The slot that the country's database has it hold.
        package let held: ScheduleID?
        /// The other one of two appointments.
        package let other: AppointmentID?

        package init(
            country: Country, booked: ScheduleID? = nil, held: ScheduleID? = nil, other: AppointmentID? = nil
        ) {
            (self.country, self.booked, self.held, self.other) = (country, booked, held, other)
        }
    }

    /// What can be verified by itself.
    package enum Part: CaseIterable, Sendable {
        /// Every entry, its hash, its place and its link to the one before.
        case chain
        /// The tree over all entries, and what was signed of it.
        case log
        /// Every row of the view.
        case views
        /// The copy in PostgreSQL.
        case mirror
        /// Who holds the slots by the countries' databases.
        case countries
    }

    package init(
        _ kind: Kind, stream: StreamID? = nil, version: Int? = nil, position: Int? = nil, key: String? = nil,
        slot: ComparedSlot? = nil, message: String
    ) {
        (self.kind, self.stream, self.version) = (kind, stream, version)
        (self.position, self.key, self.slot, self.message) = (position, key, slot, message)
    }
}

extension Finding.Kind {
    /// Whether it concerns a row, which can be folded again, and not an event, which stays as it is.
    package var isOfRows: Bool { parts == [.views] }

    /// Whether it concerns what is stored of the tree, which can be made anew from the entries.
    package var isOfTree: Bool { [.treeDiffers, .treeMissing, .treeOutside].contains(self) }

    /// Whether `repair` can put it right: what is derived, and no event of the store.
    package var isMendable: Bool { isOfRows || parts == [.mirror] || isOfGivenBack }

    /// Whether `repair` gives a slot back or puts a claim back for it.
    private var isOfGivenBack: Bool { [.claimUnexplained, .claimOfFailed, .claimMissing].contains(self) }

    /// The parts that this damage belongs to. Events that can't be read, are missing or do not open leave their row
    /// without proof as well.
    var parts: Set<Finding.Part> {
        switch self {
        case .entryUnreadable, .versionGap, .sealedDiffers: [.chain, .views]
        case .leafDiffers, .positionGap, .previousDiffers, .foreignItem, .outsideLog, .keyRecordBroken, .keyDiffers,
            .countDiffers:
            [.chain]
        case .treeDiffers, .treeMissing, .treeOutside, .treeUnknown, .logCutOff, .logForked, .checkpointUnreadable:
            [.log]
        // The mirror has a chain of its own.
        case .recordDiffers, .recordMissing: [.chain, .mirror]
        case .rowMissing, .rowBehind, .rowDiffers, .rowUnreadable, .rowWithoutEvents, .checkpointAhead: [.views]
        case .mirrorMissing, .mirrorExtra, .mirrorDiffers, .mirrorMisplaced, .mirrorDamaged, .mirrorRowDiffers,
            .mirrorConflict, .mirrorCheckpointAhead:
            [.mirror]
        case .claimUnexplained, .claimOfFailed, .claimDiffers, .claimMissing, .slotTwice, .personTwice, .medicTwice:
            [.countries]
        }
    }
}

/// What `verify` covered and found.
package struct VerifyReport: Equatable, Sendable {
    private let parts: Set<Finding.Part>
    package var events = 0
    package var streams = 0
    package var rows = 0
    /// The position of the last event when it began.
    package var head = 0
    /// The first `maximumFindings` findings, in the order in which they were met.
    package private(set) var findings: [Finding] = []
    package private(set) var findingCount = 0

    /// The most findings that are kept; the others are counted.
    package static let maximumFindings = 1000

    package init(_ parts: Set<Finding.Part> = Set(Finding.Part.allCases)) { self.parts = parts }

    package var isClean: Bool { findingCount == 0 }

    /// Takes in a finding, unless it belongs to no part that is verified.
    package mutating func add(_ finding: Finding) {
        if finding.kind.parts.isDisjoint(with: parts) { return }
        findingCount += 1
        if findings.count < Self.maximumFindings { findings.append(finding) }
    }

    /// Both reports as one; the extent is this one's.
    package func adding(_ other: VerifyReport) -> VerifyReport {
        var all = self
        all.findingCount += other.findingCount
        all.findings += other.findings.prefix(max(Self.maximumFindings - findings.count, 0))
        return all
    }

    /// Counts findings that another report did not keep.
    mutating func addUnkept(_ count: Int) { findingCount += count }
}

/// How far `verify` has come.
package struct VerifyProgress: Equatable, Sendable {
    package let position: Int
    package let head: Int
    package let findings: Int
}
