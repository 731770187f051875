/// What goes wrong. Each run has a mix of its own: some faults never, some now and then, some all the time.
package enum Fault: Int, CaseIterable, Sendable {
    // At an effect of a handler or pump.
    case crashBefore, crashAfter, lostAnswer, throttled, conflict, slow
    // On the way of a message.
    case duplicate, reorder, delay, poison, partialBatch
    // In the change stream.
    case lateRecord, repeatedRecord, shuffledRecords, trimmedStream, damagedRecord
    // All of a sudden.
    case outage, clockStep, restart, mirrorRestored
    // What operators do meanwhile.
    case rebuild, replay, redriveTwice, giveUp

    /// How often it strikes at most, in a million chances.
    var highestRate: Int {
        switch self {
        case .crashBefore, .crashAfter: 10_000
        case .lostAnswer, .throttled: 50_000
        case .conflict: 30_000
        case .slow: 20_000
        case .duplicate, .reorder: 300_000
        case .delay: 20_000
        case .poison: 50_000
        case .partialBatch: 100_000
        case .lateRecord, .repeatedRecord, .shuffledRecords: 300_000
        case .damagedRecord: 200_000
        case .trimmedStream, .outage, .clockStep, .restart, .mirrorRestored: 400_000
        case .rebuild, .replay, .redriveTwice, .giveUp: 800_000
        }
    }
}

/// A fault that struck: which chance it was, and what.
package struct Strike: Hashable, Sendable {
    /// The number of the chance, counted through the run.
    package let chance: UInt64
    package let fault: Fault
}

/// Decides what goes wrong. Every chance has a number, and what it brings depends on seed and number alone, so that
/// single strikes can be left out of a run to see whether it still fails.
final class FaultSource {
    private let seed: UInt64
    private var chance: UInt64 = 0
    private let rates: [Int]
    /// The strikes that may happen; nil for all.
    private let allowed: Set<UInt64>?
    /// Whether faults happen at all: not in the second phase.
    var isOn = true
    private(set) var strikes: [Strike] = []

    init(seed: UInt64, allowed: Set<UInt64>?) {
        self.seed = SplitMix.mix(seed ^ 0xFA17)
        self.allowed = allowed
        var random = SplitMix(seed: self.seed)
        rates = Fault.allCases.map { fault in
            // Half of the faults stay away; the others come at any order of magnitude.
            random.happens(inMillion: 500_000) ? 0 : fault.highestRate >> Int(random.next() % 6)
        }
    }

    /// Which of some faults strikes now; nil for none.
    func strike(_ candidates: [Fault]) -> Fault? {
        chance += 1
        guard isOn else { return nil }
        var draw = Int(SplitMix.mix(seed &+ chance &* 0x9E37_79B9_7F4A_7C15) % 1_000_000)
        for fault in candidates {
            draw -= rates[fault.rawValue]
            if draw < 0 {
                guard allowed?.contains(chance) ?? true else { return nil }
                strikes.append(Strike(chance: chance, fault: fault))
                return fault
            }
        }
        return nil
    }

    /// Whether a fault strikes now.
    func strikes(_ fault: Fault) -> Bool { strike([fault]) != nil }
}
