import EventStore

/// What a server wants done outside of its memory, as far as faults and traces tell it apart.
enum Operation: Int {
    case append, read, feed, head, subject, checkpoint, rows, commit, put, parked, unpark, look, idle, round
    case claim, release, publish, bus, receive, delete, retry, depth
    case mirrorState, mirrorStreams, mirrorAppend, records, advance

    var component: World.Component {
        switch self {
        case .append, .read, .feed, .head, .subject, .records, .advance: .store
        case .checkpoint, .rows, .commit, .put, .parked, .unpark, .look, .idle, .round: .views
        case .claim, .release: .country
        case .publish, .bus, .receive, .delete, .retry, .depth: .queues
        case .mirrorState, .mirrorStreams, .mirrorAppend: .mirror
        }
    }

    /// Whether its success is a change, so that those who wait may have something to do.
    var changesSomething: Bool {
        switch self {
        case .append, .commit, .put, .unpark, .round, .claim, .release, .publish, .bus, .delete, .retry, .mirrorAppend,
            .advance:
            true
        default: false
        }
    }

    private static let onWrite: [Fault] = [.crashBefore, .crashAfter, .lostAnswer, .throttled, .slow]
    private static let onRead: [Fault] = [.crashBefore, .throttled, .slow]

    /// The faults that can strike it.
    var faults: [Fault] { changesSomething || self == .receive ? Self.onWrite : Self.onRead }
}

/// What happened in a run, as a digest and, if it is kept, line by line.
final class Trace {
    enum Result: Int {
        case done, refused, unavailable, lost, crashed
    }

    private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    private(set) var lines: [String] = []
    private let isKept: Bool

    init(isKept: Bool) { self.isKept = isKept }

    func note(_ time: Int64, _ server: Int, _ operation: Operation, _ result: Result) {
        mix(UInt64(truncatingIfNeeded: time) << 16 | UInt64(server << 12 | operation.rawValue << 4 | result.rawValue))
        if isKept { lines.append("\(stamp(time)) server \(server) \(operation) \(result)") }
    }

    /// Notes something that is no step, with a number that tells it from others.
    func note(_ time: Int64, _ number: UInt64, _ text: @autoclosure () -> String) {
        mix(UInt64(truncatingIfNeeded: time) ^ number)
        if isKept { lines.append("\(stamp(time)) \(text())") }
    }

    private func stamp(_ time: Int64) -> String { Timestamp(milliseconds: time).description }

    private func mix(_ value: UInt64) { digest = SplitMix.mix(digest ^ value) }
}

/// Something that must have been seen at least once in many runs, or the runs prove less than they seem to.
package enum Sighting: String, CaseIterable, Sendable {
    case redelivery, deadLetter, redrive, gapRepair, trimmedStreamBackfill, sweeper, conflictIsMine, parkedRetried
    case crash, lostRace, replayedRequest, giveUp, rebuildSwapped, mirrorRestored, staleWorkerFenced, slotTaken
}

/// Counts what was seen.
final class Sightings {
    private(set) var counts: [Sighting: Int] = [:]

    func see(_ sighting: Sighting) { counts[sighting, default: 0] += 1 }
}
