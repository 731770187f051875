/// How the tree of a ledger stands to the last checkpoint that was signed of it.
package struct LogStanding: Equatable, Sendable {
    /// How the two can stand to each other.
    package enum State: String, CaseIterable, Sendable {
        /// There is nothing to sign yet.
        case empty
        /// The last checkpoint is of the tree as it is.
        case signed
        /// The tree has grown since: the next checkpoint is due.
        case due
        /// The tree is smaller than its last checkpoint: the ledger was cut off, or put back to an older copy.
        case cutOff = "cut-off"
        /// The tree is not the one that the last checkpoint is of, or does not go on from it.
        case forked
        /// What is stored of the tree or of the last checkpoint contradicts itself.
        case damaged
        /// The last checkpoint is of another log than the key.
        case foreign
    }

    package let state: State
    /// How many leaves the tree has; nil where that can't be told.
    package let size: Int?
    /// How many leaves it had at the last checkpoint; nil where there is none.
    package let signed: Int?
    /// What is wrong and what to do, as a lowercase sentence; nil where nothing is.
    package let problem: String?

    package init(_ state: State, size: Int?, signed: Int?, problem: String? = nil) {
        (self.state, self.size, self.signed, self.problem) = (state, size, signed, problem)
    }

    /// Whether nothing more is signed before somebody has decided what is right.
    package var isAlarm: Bool {
        switch state {
        case .empty, .signed, .due: false
        case .cutOff, .forked, .damaged, .foreign: true
        }
    }
}
