/// A UUID (RFC 9562): 128 bits, written in lower-case hexadecimal.
package struct Identifier: Hashable, Comparable, Sendable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }

    /// The identifier with these 16 bytes, most significant first; nil unless there are 16.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        high = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The identifier with these 16 bytes, most significant first, read in one step; nil unless there are 16.
    package init?(raw bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 16 else { return nil }
        high = UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
        low = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    /// The 16 bytes, most significant first.
    package var bytes: [UInt8] {
        [high, low].flatMap { half in (0..<8).map { UInt8(truncatingIfNeeded: half >> (56 - 8 * UInt64($0))) } }
    }

    package static func < (left: Identifier, right: Identifier) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension Identifier {
    /// A UUIDv7: 48 bits of Unix milliseconds, then random bits, so that new identifiers sort by time.
    package static func version7(at now: Timestamp, random: (UInt64, UInt64)) -> Identifier {
        let milliseconds = UInt64(bitPattern: max(now.milliseconds, 0)) & 0xFFFF_FFFF_FFFF
        return Identifier(high: milliseconds << 16 | 0x7000 | random.0 & 0x0FFF, low: variant(random.1))
    }

    /// A UUIDv8 made of the first 122 bits that are free in a hash: the same hash gives the same identifier.
    package static func version8(_ hash: Hash) -> Identifier {
        let halves = Identifier(bytes: hash.bytes.prefix(16)) ?? Identifier(high: 0, low: 0)
        return Identifier(high: halves.high & ~0xF000 | 0x8000, low: variant(halves.low))
    }

    /// A UUIDv4 of these random bits.
    package static func version4(random: (UInt64, UInt64)) -> Identifier {
        Identifier(high: random.0 & ~0xF000 | 0x4000, low: variant(random.1))
    }

    /// A UUIDv4 by the generator of the system, for what needs no repeatable one.
    package static func random() -> Identifier {
        version4(random: (.random(in: 0 ... .max), .random(in: 0 ... .max)))
    }

    private static func variant(_ bits: UInt64) -> UInt64 { bits & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000 }
}

extension Identifier: CustomStringConvertible {
    package var description: String {
        String(unsafeUninitializedCapacity: 36) { buffer in
            write(into: buffer)
            return 36
        }
    }

    func write(into buffer: UnsafeMutableBufferPointer<UInt8>) {
        var place = 0
        for nibble in 0..<32 {
            if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 {
                buffer[place] = UInt8(ascii: "-")
                place += 1
            }
            let half = nibble < 16 ? high : low
            let value = UInt8(truncatingIfNeeded: half >> (60 - 4 * UInt64(nibble & 15))) & 15
            buffer[place] = value < 10 ? 48 + value : 87 + value
            place += 1
        }
    }

    /// Reads the 36 characters of a UUID, hyphens in their places, in either case; nil for anything else.
    package init?(_ text: some StringProtocol) {
        guard let value = Array(text.utf8).withUnsafeBufferPointer({ Identifier(utf8: $0) }) else { return nil }
        self = value
    }

    /// Reads the 36 bytes of a UUID's text, as `init(_:)` does.
    package init?(utf8 bytes: UnsafeBufferPointer<UInt8>) {
        guard bytes.count == 36, bytes[8] == Self.hyphen, bytes[13] == Self.hyphen, bytes[18] == Self.hyphen,
            bytes[23] == Self.hyphen
        else { return nil }
        var wrong: UInt8 = 0
        // A digit's low four bits are its value, a letter's are nine less.
        func number(_ range: Range<Int>) -> UInt64 {
            var number: UInt64 = 0
            for place in range {
                let byte = bytes[place]
                let isDigit = byte &- 48 < 10
                let isLetter = (byte | 0x20) &- 97 < 6
                wrong |= isDigit || isLetter ? 0 : 1
                number = number << 4 | UInt64((byte & 15) &+ (isDigit ? 0 : 9))
            }
            return number
        }
        let high = number(0..<8) << 32 | number(9..<13) << 16 | number(14..<18)
        let low = number(19..<23) << 48 | number(24..<36)
        guard wrong == 0 else { return nil }
        self.init(high: high, low: low)
    }

    private static let hyphen = UInt8(ascii: "-")
}
