import Synchronization

/// What a pump has in hand: each message from its receive to its acknowledgement, and whether more may be received.
///
/// One that waits makes nobody else wait: more is received while single messages are out. While a store does not
/// answer, those that met the outage are tried again, and little else is received to find out whether it is over.
final class Hand: Sendable {
    fileprivate struct Held {
        let message: ReceivedMessage
        /// When it was hidden last, in milliseconds of the alarm's clock.
        var hidden: Int64
        /// Whether its last try met an outage.
        var isStruck = false
    }

    fileprivate struct State {
        var held: [String: Held] = [:]
        /// Those that are handled and not acknowledged yet, by their receipts.
        var handled: [String] = []
        var struck = 0
        /// Whether the last that was tried met an outage.
        var isDoubtful = false
        /// Whether a message is out that was received to see whether the outage is over.
        var isTrying = false
        var isClosed = false
    }

    private let most: Int
    private let state = Mutex(State())
    /// Rings when there may be room for more, or something to acknowledge.
    let changed: Doorbell

    /// - Parameter most: the most messages that are in hand together.
    init(most: Int, alarm: Alarm) { (self.most, changed) = (max(most, 1), Doorbell(alarm: alarm)) }

    /// How many messages may be received now, and whether these are to find out whether an outage is over.
    var room: (count: Int, isTry: Bool) {
        state.withLock { state in
            let left = most - state.held.count
            guard state.isDoubtful else { return (left, false) }
            // Those in hand are tried again meanwhile; half of the hand is left to what comes when it is over.
            let mayTry = !state.isTrying && state.struck < max(most / 2, 1)
            return (mayTry ? min(left, 1) : 0, true)
        }
    }

    func take(_ messages: [ReceivedMessage], isTry: Bool, at now: Int64) {
        state.withLock { state in
            for message in messages { state.held[message.receipt] = Held(message: message, hidden: now) }
            if isTry { state.isTrying = !messages.isEmpty }
        }
    }

    /// Notes that a message met an outage.
    ///
    /// - Returns: whether it is the only one that waits for the end of one, and has not waited before.
    func struck(_ message: ReceivedMessage) -> Bool {
        defer { changed.ring() }
        return state.withLock { state in
            (state.isDoubtful, state.isTrying) = (true, false)
            guard let held = state.held[message.receipt], !held.isStruck else { return false }
            state.held[message.receipt]?.isStruck = true
            state.struck += 1
            return state.struck == 1
        }
    }

    /// Notes that a message was handled: it is in hand until it is acknowledged.
    func handled(_ message: ReceivedMessage) {
        state.withLock { state in
            state.passed(message.receipt)
            state.handled.append(message.receipt)
        }
        changed.ring()
    }

    /// Notes that the stores answered about a message.
    func passed(_ message: ReceivedMessage) {
        state.withLock { $0.passed(message.receipt) }
        changed.ring()
    }

    /// Lets messages go.
    func drop(_ receipts: [String]) {
        state.withLock { state in
            for receipt in receipts where state.held.removeValue(forKey: receipt)?.isStruck == true {
                state.struck -= 1
            }
        }
        changed.ring()
    }

    /// The messages that were handled and are to be acknowledged; nil when none will come any more.
    func takeHandled() -> [String]? {
        state.withLock { state in
            defer { state.handled = [] }
            return state.handled.isEmpty && state.isClosed ? nil : state.handled
        }
    }

    /// The messages that have been hidden for so long.
    func hidden(forMilliseconds time: Int64, at now: Int64) -> [String] {
        state.withLock { $0.held.filter { now - $0.value.hidden >= time }.keys.sorted() }
    }

    func hid(_ receipts: [String], at now: Int64) {
        state.withLock { state in
            for receipt in receipts { state.held[receipt]?.hidden = now }
        }
    }

    /// Nothing is received any more, and all that was is answered.
    func close() {
        state.withLock { $0.isClosed = true }
        changed.ring()
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }
}

extension Hand.State {
    fileprivate mutating func passed(_ receipt: String) {
        (isDoubtful, isTrying) = (false, false)
        guard held[receipt]?.isStruck == true else { return }
        held[receipt]?.isStruck = false
        struck -= 1
    }
}
