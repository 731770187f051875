import EventStore
import Glibc

/// An address of IPv4 or IPv6. One of IPv4 that is written as IPv6 (`::ffff:192.0.2.1`) is the same address.
package struct IPAddress: Hashable, Sendable {
    /// The 16 bytes of the address as IPv6, as two numbers.
    private let high: UInt64
    private let low: UInt64

    private static let mapped: UInt64 = 0x0000_FFFF_0000_0000

    /// Reads an address as RFC 4291 and dotted decimal write it; nil for anything else, such as a name, a port after
    /// it or a zone.
    package init?(_ text: some StringProtocol) {
        let isAllowed = text.utf8.allSatisfy {
            $0.hexadecimalValue != nil || $0 == 0x3A || $0 == 0x2E
        }
        guard isAllowed, (2...45).contains(text.utf8.count) else { return nil }
        if text.utf8.contains(0x3A) {
            var bytes = in6_addr()
            guard inet_pton(AF_INET6, String(text), &bytes) == 1 else { return nil }
            (high, low) = withUnsafeBytes(of: &bytes) { bytes in
                (
                    UInt64(bigEndian: bytes.load(as: UInt64.self)),
                    UInt64(bigEndian: bytes.load(fromByteOffset: 8, as: UInt64.self))
                )
            }
        } else {
            var bytes = in_addr()
            guard inet_pton(AF_INET, String(text), &bytes) == 1 else { return nil }
            (high, low) = (0, Self.mapped | UInt64(UInt32(bigEndian: bytes.s_addr)))
        }
    }

    private init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }

    package var isIPv4: Bool { high == 0 && low & 0xFFFF_FFFF_0000_0000 == Self.mapped }

    /// Whether it is this machine's own: 127.0.0.0/8 or ::1.
    package var isLoopback: Bool { isIPv4 ? low & 0xFF00_0000 == 0x7F00_0000 : high == 0 && low == 1 }

    /// The network that one customer has: the address itself with IPv4, the first 64 bits with IPv6.
    package var customer: IPAddress { isIPv4 ? self : IPAddress(high: high, low: 0) }

    /// The address with the bits after a prefix of 0 to 128 bits taken away.
    fileprivate func prefix(_ length: Int) -> IPAddress {
        func mask(_ bits: Int) -> UInt64 { bits <= 0 ? 0 : bits >= 64 ? .max : ~(UInt64.max >> UInt64(bits)) }
        return IPAddress(high: high & mask(length), low: low & mask(length - 64))
    }
}

extension IPAddress: CustomStringConvertible {
    package var description: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
            var text: UnsafePointer<CChar>?
            if isIPv4 {
                var bytes = in_addr(s_addr: UInt32(truncatingIfNeeded: low).bigEndian)
                text = inet_ntop(AF_INET, &bytes, buffer.baseAddress, socklen_t(buffer.count))
            } else {
                var bytes = (high.bigEndian, low.bigEndian)
                text = inet_ntop(AF_INET6, &bytes, buffer.baseAddress, socklen_t(buffer.count))
            }
            return text.map { String(cString: $0) } ?? "?"
        }
    }
}

/// The addresses that begin with the same bits, such as 10.0.0.0/8; a single address as well.
package struct IPNetwork: Equatable, Sendable {
    private let first: IPAddress
    private let length: Int

    /// Reads an address, or one with the length of its prefix (CIDR).
    ///
    /// - Returns: nil for anything else, for a prefix of no bits, and for an address with bits after its prefix.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(parts[0]) else { return nil }
        let bits = address.isIPv4 ? 32 : 128
        var length = bits
        if parts.count == 2 {
            let isNumber = parts[1].utf8.allSatisfy { $0.isDigit } && !parts[1].hasPrefix("0")
            guard isNumber, let number = Int(parts[1]), (1...bits).contains(number) else { return nil }
            length = number
        }
        (first, self.length) = (address, length + 128 - bits)
        guard address.prefix(self.length) == address else { return nil }
    }

    /// Whether an address begins with these bits.
    package func contains(_ address: IPAddress) -> Bool { address.prefix(length) == first }
}
