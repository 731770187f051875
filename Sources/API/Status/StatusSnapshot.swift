import Appointments
import Projections

/// What is known of the ledger at one moment, and how old it is.
struct StatusSnapshot: Sendable {
    private(set) var readiness: Readiness?
    private(set) var figures: Figures?
    /// Whether the store answers.
    let isUp: Bool
    let isWritable: Bool
    /// Why the ledger is not ready.
    let reasons: [String]
    /// How old each answer is, in seconds, by whose it is.
    private(set) var ages: [(of: String, seconds: Double)] = []

    /// How long a country or a mirror may take to answer before it counts as away.
    private static let foreignPatience = Duration.milliseconds(1500)

    init(_ state: StatusWatch.State, mirrored: Bool, countries: [Country]) {
        let silence = state.head.silence ?? .zero
        isUp = state.head.value != nil && state.head.failure == nil && silence < StatusWatch.patience
        var reasons: [String] = []
        if state.head.value == nil, state.head.failure == nil {
            reasons.append("the server has just started: the store has not answered yet")
        } else if !isUp {
            reasons.append("the store does not answer, for \(silence.components.seconds) s now")
        }
        let parts = [state.projections.failure, state.queues.failure].compactMap(\.self)
        if isUp, let failure = parts.first { reasons.append("the store does not answer: \(failure)") }
        let writeProblem = state.writes.value.flatMap(\.self)
        if let writeProblem { reasons.append("nothing can be written: \(writeProblem)") }
        isWritable = writeProblem == nil
        if let head = state.head.value {
            var readiness = Readiness(head: head)
            readiness.projections = state.projections.value ?? []
            readiness.queues = state.queues.value ?? []
            readiness.countries = countries.map { Self.status(of: $0, state.countries[$0]) }
            if mirrored { readiness.mirror = Self.mirror(state.mirror) }
            readiness.log = state.log.value.flatMap(\.self)
            reasons += readiness.reasons
            self.readiness = readiness
        }
        figures = state.figures.value
        self.reasons = reasons
        note("store", state.head.age)
        note("projections", state.projections.age)
        note("queues", state.queues.age)
        note("figures", state.figures.age)
        for country in countries { note("country-\(country.code)", state.countries[country]?.age) }
        if mirrored { note("mirror", state.mirror.age) }
        note("log", state.log.age)
    }

    private mutating func note(_ name: String, _ age: Duration?) {
        if let age { ages.append((name, age.seconds)) }
    }

    /// Appointments that are stuck, without those that wait for a country whose database is away.
    var stuck: Int {
        let away = Set((readiness?.countries ?? []).filter { !$0.answers }.map(\.country))
        return figures?.stuck.count { !away.contains($0.country) } ?? 0
    }

    private static func status(of country: Country, _ reading: Reading<Bool>?) -> CountryStatus {
        guard let reading else { return CountryStatus(country: country, answers: false) }
        let isSilent = reading.silence.map { $0 > foreignPatience } ?? false
        let answers = reading.value == true && !isSilent && reading.failure == nil
        return CountryStatus(
            country: country, answers: answers, silentSeconds: answers ? nil : reading.silence?.seconds)
    }

    private static func mirror(_ reading: Reading<MirrorStatus>) -> MirrorStatus {
        let isSilent = reading.silence.map { $0 > foreignPatience } ?? false
        guard let value = reading.value, !isSilent, reading.failure == nil else {
            return MirrorStatus(progress: nil, damage: nil)
        }
        return value
    }
}
