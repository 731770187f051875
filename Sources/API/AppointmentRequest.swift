import Appointments
import EventStore

/// The body of `POST /appointments`, read strictly and byte by byte.
struct AppointmentRequest: Equatable {
    let insured: InsuredID
    let request: Requested

    /// The most bytes that a body may have.
    static let maximumBytes = 16 * 1024
    /// How deep a body may be nested.
    static let maximumDepth = 8

    /// Reads a body.
    ///
    /// - Throws: everything that is wrong with it.
    init(_ body: [UInt8]) throws(Problem) {
        if body.isEmpty { throw .invalid("body", .missingBody, "Request body is required") }
        var fields = Fields()
        do throws(JSONError) {
            try JSONReader.read(body, maximumDepth: Self.maximumDepth) { reader throws(JSONError) in
                try fields.read(from: &reader)
            }
        } catch {
            if error.duplicateKey == nil {
                throw .invalid("body", .invalidJSON, "Invalid JSON in request body")
            }
            throw .invalid("body", .validationFailed, "A key appears more than once in the request body")
        }
        guard let valid = fields.finish() else { throw Problem(fields.issues) }
        self = valid
    }

    private init(insured: InsuredID, request: Requested) { (self.insured, self.request) = (insured, request) }

    /// What was read so far, and what is wrong with it.
    private struct Fields {
        var insured: InsuredID?
        var schedule: ScheduleID?
        var country: Country?
        var seen: Set<String> = []
        var issues: [Problem.Issue] = []

        mutating func add(_ field: String, _ message: String) {
            issues.append(Problem.Issue(field: field, code: .validationFailed, message: message))
        }

        mutating func read(from reader: inout JSONReader) throws(JSONError) {
            guard reader.peek() == UInt8(ascii: "{") else {
                add("body", "Request body must be a JSON object")
                return try reader.skip()
            }
            var fields = self
            try reader.object { key, reader throws(JSONError) in try fields.read(key, from: &reader) }
            self = fields
        }

        private mutating func read(_ key: String, from reader: inout JSONReader) throws(JSONError) {
            switch key {
            case "insuredId", "scheduleId", "countryISO":
                if !seen.insert(key).inserted {
                    add(key, "Key appears more than once")
                    return try reader.skip()
                }
            default:
                let name = key.echoed
                add("unknown", name == "unknown" ? "Unrecognized key" : "Unrecognized key: \(name)")
                return try reader.skip()
            }
            switch key {
            case "insuredId":
                insured = try text(from: &reader).flatMap(InsuredID.init(_:))
                if insured == nil { add(key, "Insured ID must be exactly 5 digits") }
            case "scheduleId": try readSchedule(from: &reader)
            default:
                country = try text(from: &reader).flatMap(Country.init(rawValue:))
                if country == nil { add(key, "Country must be \(Country.list)") }
            }
        }

        private mutating func readSchedule(from reader: inout JSONReader) throws(JSONError) {
            guard let first = reader.peek(), first == UInt8(ascii: "-") || first.isDigit else {
                add("scheduleId", "Schedule ID must be an integer")
                return try reader.skip()
            }
            guard let number = try JSONValue(from: &reader).whole else {
                return add("scheduleId", "Schedule ID must be an integer from 1 to \(ScheduleID.bounds.upperBound)")
            }
            schedule = ScheduleID(number)
            if schedule != nil { return }
            add(
                "scheduleId",
                number < 1
                    ? "Schedule ID must be positive" : "Schedule ID cannot exceed \(ScheduleID.bounds.upperBound)")
        }

        /// A string where one stands; any other value is passed over.
        private func text(from reader: inout JSONReader) throws(JSONError) -> String? {
            if reader.peek() == UInt8(ascii: "\"") { return try reader.string() }
            try reader.skip()
            return nil
        }

        /// The request, if nothing is wrong with it; else notes what is missing.
        mutating func finish() -> AppointmentRequest? {
            if issues.first?.field != "body" {
                if !seen.contains("insuredId") { add("insuredId", "Insured ID is required") }
                if !seen.contains("scheduleId") { add("scheduleId", "Schedule ID is required") }
                if !seen.contains("countryISO") { add("countryISO", "Country is required") }
            }
            guard issues.isEmpty, let insured, let schedule, let country else { return nil }
            return AppointmentRequest(insured: insured, request: Requested(schedule: schedule, country: country))
        }
    }
}
