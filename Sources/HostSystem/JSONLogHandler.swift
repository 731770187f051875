package import EventStore
import Glibc
package import Logging

/// Writes log records to standard error, one JSON object a line:
/// `{"timestamp","level","requestId","service","message","data"}`.
///
/// Text is escaped, cut to 128 bytes, and an `insuredId` is masked whoever put it there.
package struct JSONLogHandler: LogHandler {
    /// The most bytes of a text that are logged.
    package static let maximumTextBytes = 128

    package var metadata: Logger.Metadata = [:]
    package var logLevel: Logger.Level
    package var metadataProvider: Logger.MetadataProvider?
    private let service: String
    private let now: @Sendable () -> Timestamp
    private let write: @Sendable ([UInt8]) -> Void

    /// - Parameter write: takes each line, its newline included; standard error unless given.
    package init(
        service: String, logLevel: Logger.Level, now: @escaping @Sendable () -> Timestamp,
        write: @escaping @Sendable ([UInt8]) -> Void = JSONLogHandler.writeToStandardError
    ) {
        (self.service, self.logLevel, self.now, self.write) = (service, logLevel, now, write)
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var fields = metadataProvider?.get() ?? [:]
        fields.merge(metadata) { $1 }
        if let own = event.metadata { fields.merge(own) { $1 } }
        if let error = event.error { fields["error"] = "\(error)" }
        let request = fields.removeValue(forKey: "requestId")
        var writer = JSONWriter()
        writer.object {
            $0.member("timestamp", now())
            $0.member("level", event.level.rawValue.uppercased())
            $0.member("requestId", request.map { Self.cut("\($0)") })
            $0.member("service", service)
            $0.member("message", Self.cut("\(event.message)"))
            $0.member("data") { writer in
                writer.object { writer in
                    for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
                        writer.member(Self.cut(key), Self.text(value, key: key))
                    }
                }
            }
        }
        write(writer.bytes + [UInt8(ascii: "\n")])
    }

    private static func text(_ value: Logger.Metadata.Value, key: String) -> String {
        key == "insuredId" ? mask("\(value)") : cut("\(masking(value))")
    }

    private static func mask(_ text: String) -> String { cut("***" + text.suffix(2)) }

    /// The same value with every `insuredId` inside it masked.
    private static func masking(_ value: Logger.Metadata.Value) -> Logger.Metadata.Value {
        switch value {
        case .string, .stringConvertible: value
        case .array(let elements): .array(elements.map(masking))
        case .dictionary(let members):
            .dictionary(
                members.reduce(into: [:]) { masked, member in
                    masked[member.key] =
                        member.key == "insuredId" ? .string(mask("\(member.value)")) : masking(member.value)
                })
        }
    }

    /// The first 128 bytes of a text, not ending inside a character.
    package static func cut(_ text: String) -> String {
        if text.utf8.count <= maximumTextBytes { return text }
        var end = text.utf8.index(text.utf8.startIndex, offsetBy: maximumTextBytes)
        while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }

    /// One write a line, so that lines of several threads do not mix. What nobody reads is dropped, not waited for.
    package static let writeToStandardError: @Sendable ([UInt8]) -> Void = { line in
        StandardStreams.offer(line, to: STDERR_FILENO)
    }
}
