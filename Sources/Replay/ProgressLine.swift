/// What is said of long work: how much of it is done, how fast it goes and how long it will take. What was done before
/// it was first looked at, by a run that was stopped, is no measure of its speed.
package struct ProgressLine: Sendable {
    private var begun: (done: Int, seconds: Double)?

    package init() {}

    /// The line after some seconds.
    ///
    /// - Parameter done: how much is done; where it is less than before, something else has begun.
    package mutating func text(_ done: Int, of all: Int, _ unit: String, after seconds: Double) -> String {
        let share = all > 0 ? Int(Double(done) / Double(all) * 100) : 100
        let text = "\(share) %  \(done) of \(all) \(unit)"
        guard let begun, begun.done <= done else {
            begun = (done, seconds)
            return text
        }
        let rate = Double(done - begun.done) / max(seconds - begun.seconds, 0.001)
        guard rate >= 1 else { return text }
        return text + ", \(Int(rate))/s, \(Int((Double(max(all - done, 0)) / rate).rounded(.up))) s left"
    }
}
