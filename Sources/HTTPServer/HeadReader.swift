import EventStore
import Handlers

/// Reads the first line and the header fields of a request byte by byte, and refuses what RFC 9112 wants refused and
/// lenient parsers let through, so that no proxy before this server understands a request in another way.
///
/// It changes nothing: the decoder after it gets the same bytes.
struct HeadReader {
    /// How far it has come.
    enum Outcome: Equatable {
        /// All bytes belong to the head, and it goes on.
        case more
        /// The head ends before this many bytes.
        case ended(Int)
        case malformed(String)
    }

    private enum Place {
        case start, startLineFeed, method, target, version, lineFeed, line, name, value, lastLineFeed
    }

    private var place = Place.start
    /// How many bytes of the place have come.
    private var count = 0

    /// Whether nothing of a request has come yet.
    var isAtStart: Bool { place == .start }

    /// Reads on.
    mutating func read(_ bytes: some Sequence<UInt8>) -> Outcome {
        var read = 0
        for byte in bytes {
            if let fault = take(byte) { return .malformed(fault) }
            read += 1
            if count < 0 {
                self = HeadReader()
                return .ended(read)
            }
        }
        return .more
    }

    private static let lineFeed = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")

    /// Takes one byte; gives what is wrong with it. At the end of the head `count` is negative.
    private mutating func take(_ byte: UInt8) -> String? {
        switch place {
        case .start:
            // RFC 9112, 2.2: an empty line before a request is passed over.
            if byte == Self.carriageReturn { return go(to: .startLineFeed) }
            guard byte.isTokenByte else { return "The request line begins with a method" }
            place = .method
        case .startLineFeed:
            guard byte == Self.lineFeed else { return Self.bareReturn }
            place = .start
        case .method:
            if byte == 0x20 { return go(to: .target) }
            guard byte.isTokenByte else { return "A method is a word of letters" }
        case .target:
            if byte == 0x20, count > 0 { return go(to: .version) }
            guard (0x21...0x7E).contains(byte) else { return "The request line has three words with one space between" }
            count += 1
        case .version: return version(byte)
        case .lineFeed:
            guard byte == Self.lineFeed else { return Self.bareReturn }
            place = .line
        case .line:
            if byte == Self.carriageReturn { return go(to: .lastLineFeed) }
            guard byte.isTokenByte else { return "A header field begins with its name, and is not folded" }
            place = .name
        case .name:
            if byte == UInt8(ascii: ":") { return go(to: .value) }
            guard byte.isTokenByte else { return "The name of a header field ends with a colon" }
        case .value:
            if byte == Self.carriageReturn { return go(to: .lineFeed) }
            guard byte >= 0x20 && byte != 0x7F || byte == 0x09 else { return "A header holds control characters" }
        case .lastLineFeed:
            guard byte == Self.lineFeed else { return Self.bareReturn }
            count = -1
        }
        return nil
    }

    private static let bareReturn = "A line ends with CR LF"

    private mutating func version(_ byte: UInt8) -> String? {
        let expected = StaticString("HTTP/")
        if count == 8, byte == Self.carriageReturn { return go(to: .lineFeed) }
        let isRight =
            switch count {
            case 0..<5: byte == expected.utf8Start[count]
            case 5, 7: byte.isDigit
            case 6: byte == UInt8(ascii: ".")
            default: false
            }
        count += 1
        return isRight ? nil : "The request line ends with HTTP/1.1"
    }

    private mutating func go(to place: Place) -> String? {
        (self.place, count) = (place, 0)
        return nil
    }
}

extension UInt8 {
    /// Whether a token of RFC 9110 may hold this byte: the name of a field, a method.
    fileprivate var isTokenByte: Bool {
        switch self {
        case _ where isLetter || isDigit: true
        case UInt8(ascii: "!"), 0x23...0x27, UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"),
            UInt8(ascii: "."), 0x5E...0x60, UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
