import EventStore

/// What a caller wants an answer in: the media ranges of `Accept`, with their weights (RFC 9110 section 12.5.1).
struct AcceptedTypes {
    private struct Range {
        let type: String
        let subtype: String
        /// The weight in thousandths.
        let weight: Int
    }

    private let ranges: [Range]

    /// The most ranges that are looked at.
    private static let maximumRanges = 32

    /// - Parameter fields: the values of the header, one for each time that it was sent. A range that is broken counts
    ///   as not sent.
    init(_ fields: [String]) {
        ranges = fields.flatMap { $0.split(separator: ",") }.prefix(Self.maximumRanges).compactMap(Self.range)
    }

    /// Whether the caller names a type, such as `application/x-ndjson`, and likes it no less than another.
    func prefers(_ type: String, to other: String) -> Bool {
        guard ranges.contains(where: { "\($0.type)/\($0.subtype)" == type }) else { return false }
        let weight = weight(of: type)
        return weight > 0 && weight >= self.weight(of: other)
    }

    /// The weight of the range that says most about a type; 0 where none is for it.
    private func weight(of type: String) -> Int {
        let parts = type.split(separator: "/").map(String.init)
        let exact = ranges.last { $0.type == parts[0] && $0.subtype == parts[1] }
        let kind = ranges.last { $0.type == parts[0] && $0.subtype == "*" }
        let any = ranges.last { $0.type == "*" && $0.subtype == "*" }
        return (exact ?? kind ?? any)?.weight ?? 0
    }

    private static func range(_ text: Substring) -> Range? {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false).map { Self.lowercase(trimming: $0) }
        let names = parts[0].split(separator: "/", omittingEmptySubsequences: false)
        guard names.count == 2, names.allSatisfy({ !$0.isEmpty }) else { return nil }
        // What stands after the weight, or is no weight, says nothing about the types that are given out here.
        guard
            let weight = parts.dropFirst().first(where: { $0.hasPrefix("q=") }).map({ Self.weight($0.dropFirst(2)) })
                ?? 1000
        else { return nil }
        return Range(type: String(names[0]), subtype: String(names[1]), weight: weight)
    }

    /// `0`, `0.5`, `1.000`: at most three digits after the point, and nothing above 1.
    private static func weight(_ text: Substring) -> Int? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let whole = parts.first, whole == "0" || whole == "1" else { return nil }
        let digits = parts.count == 2 ? parts[1] : ""
        guard digits.utf8.count <= 3, digits.utf8.allSatisfy({ $0.isDigit }) else { return nil }
        let thousandths = Int(digits + String(repeating: "0", count: 3 - digits.utf8.count)) ?? 0
        return whole == "0" ? thousandths : thousandths == 0 ? 1000 : nil
    }

    /// In lower case, without the blanks around it.
    private static func lowercase(trimming text: Substring) -> String {
        var bytes = text.utf8.drop { $0 == 0x20 || $0 == 0x09 }
        while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
        return String(decoding: bytes.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }
}
