import Appointments
import EventStore

/// The parameters of a request's query, read strictly: percent-encoded UTF-8 without control characters, each
/// parameter at most once, none that the route does not know. What is wrong is collected and thrown at the end.
struct RequestQuery {
    private var values: [(name: String, value: String)] = []
    private(set) var issues: [Problem.Issue] = []
    private var known: [String] = []

    /// The most parameters that a query may have.
    private static let maximumParameters = 32

    init(_ query: String) {
        if query.isEmpty { return }
        for pair in query.utf8.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false) {
            guard values.count < Self.maximumParameters else {
                add("query", "Too many query parameters")
                break
            }
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentEncoding.decode(parts[0]), !name.isEmpty,
                let value = PercentEncoding.decode(parts.count > 1 ? parts[1] : pair.suffix(0))
            else {
                add("query", "Query is not properly percent-encoded UTF-8")
                continue
            }
            if values.contains(where: { $0.name == name }) {
                add(name.echoed, "Query parameter was given more than once")
            } else {
                values.append((name, value))
            }
        }
    }

    mutating func add(_ field: String, _ message: String) {
        issues.append(Problem.Issue(field: field, code: .invalidQueryParameter, message: message))
    }

    /// Whether a parameter was given, whatever its value.
    func holds(_ name: String) -> Bool { values.contains { $0.name == name } }

    /// The value of a parameter; nil where it was not given.
    mutating func text(_ name: String) -> String? {
        known.append(name)
        return values.first { $0.name == name }?.value
    }

    /// The value of a parameter of another type; nil where it was not given, or is wrong, which is noted.
    mutating func value<Value>(_ name: String, _ message: String, _ parse: (String) -> Value?) -> Value? {
        guard let text = text(name) else { return nil }
        guard let value = parse(text) else {
            add(name, message)
            return nil
        }
        return value
    }

    /// A whole number in a range, written in plain ASCII digits.
    mutating func integer(_ name: String, in range: ClosedRange<Int>, _ label: String, else fallback: Int) -> Int {
        guard let text = text(name) else { return fallback }
        guard let value = Int(strict: text) else {
            add(name, "\(label) must be a whole number")
            return fallback
        }
        if value < range.lowerBound {
            add(name, range.lowerBound == 0 ? "\(label) cannot be negative" : "\(label) must be at least 1")
        } else if value > range.upperBound {
            add(name, "\(label) cannot exceed \(range.upperBound)")
        }
        return value
    }

    /// A status of the view; `scheduled` is what the original called `processed`.
    mutating func status() -> AppointmentStatus? {
        value("status", "Status must be one of pending, processed, completed, failed") {
            $0 == "scheduled" ? .processed : AppointmentStatus(rawValue: $0)
        }
    }

    mutating func country() -> Country? {
        value("countryISO", "Country must be \(Country.list)", Country.init(rawValue:))
    }

    mutating func moment(_ name: String, _ label: String) -> Timestamp? {
        value(name, "\(label) must be a valid ISO datetime", Timestamp.init(_:))
    }

    /// Refuses what is wrong, and every parameter that nobody asked for.
    ///
    /// - Parameter others: what is wrong with other parts of the request, to be reported with it.
    mutating func finish(adding others: [Problem.Issue] = []) throws(Problem) {
        for (name, _) in values where !known.contains(name) {
            add(name.echoed, "Unknown query parameter")
        }
        let all = others + issues
        if !all.isEmpty { throw Problem(all) }
    }
}

extension Int {
    /// Reads a number in plain ASCII digits without a sign or leading zeros; `-5` is read to be refused by its range.
    ///
    /// A number of more than 64 bits is read as the largest or smallest one: every range refuses it.
    init?(strict text: String) {
        let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
        guard !digits.isEmpty, digits.allSatisfy({ $0.isDigit }), digits.first != 48 || digits.count == 1
        else { return nil }
        self = Int(text) ?? (text.utf8.first == UInt8(ascii: "-") ? .min : .max)
    }
}

extension String {
    /// A name that the caller chose, as an answer may repeat it: short and of letters, else `unknown`. Anything else
    /// could be a person's number in the wrong place.
    var echoed: String {
        let isPlain = utf8.count <= 64 && utf8.allSatisfy { (0x41...0x5A).contains($0 & 0xDF) || $0 == 0x5F }
        return isPlain && !isEmpty ? self : "unknown"
    }
}
