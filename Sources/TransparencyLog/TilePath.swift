import EventStore

/// The address of a tile or of an entry bundle below a log's prefix (C2SP tlog-tiles, "Merkle Tree" and "Log entries").
package struct TilePath: Hashable, Sendable {
    /// What it holds.
    package enum Content: Hashable, Sendable {
        /// Hashes of a level from 0 to 63.
        case hashes(level: Int)
        /// The entries whose leaves are in the tile of level 0 with the same index.
        case entries
    }

    package let content: Content
    /// Its place in the level, counted from 0.
    package let index: Int
    /// How many hashes or entries it has: 1 to 256, and 256 when it is complete.
    package let width: Int

    /// The most hashes or entries of a tile (C2SP tlog-tiles, "Merkle Tree").
    package static let fullWidth = 256

    /// The address with these parts; nil for a level that is not in 0 to 63, a width that is not in 1 to 256, or an
    /// index that no tree of at most 2^63 leaves has.
    package init?(_ content: Content, index: Int, width: Int = fullWidth) {
        if case .hashes(let level) = content, !(0...63).contains(level) { return nil }
        guard index >= 0, index < Int.max / Self.fullWidth, (1...Self.fullWidth).contains(width) else { return nil }
        (self.content, self.index, self.width) = (content, index, width)
    }

    /// Whether it is complete, so that it never changes.
    package var isFull: Bool { width == Self.fullWidth }

    private var level: Int {
        if case .hashes(let level) = content { level } else { 0 }
    }

    /// How many hashes a level has in a tree of this size (C2SP tlog-tiles, "Merkle Tree").
    package static func hashes(onLevel level: Int, ofSize size: Int) -> Int {
        level < 8 && level >= 0 && size >= 0 ? size >> (8 * level) : 0
    }

    /// Whether a tree of this size has all that stands here.
    package func isCovered(bySize size: Int) -> Bool {
        let count = Self.hashes(onLevel: level, ofSize: size)
        return index < count / 256 || index == count / 256 && width <= count % 256
    }

    /// The tile that a tree of this size has at a place: complete, or as wide as the tree goes; nil where it has none.
    package static func tile(level: Int, index: Int, ofSize size: Int) -> TilePath? {
        widest(.hashes(level: level), index: index, count: hashes(onLevel: level, ofSize: size))
    }

    /// The bundle that a tree of this size has at a place; nil where it has none.
    package static func bundle(index: Int, ofSize size: Int) -> TilePath? {
        widest(.entries, index: index, count: size)
    }

    private static func widest(_ content: Content, index: Int, count: Int) -> TilePath? {
        guard index >= 0, index <= count / 256 else { return nil }
        return TilePath(content, index: index, width: index < count / 256 ? fullWidth : count % 256)
    }

    /// The stored hashes that a tile consists of; of a bundle, the leaves of its entries.
    package var range: HashRange { HashRange(level: level, start: index * 256, count: width) }
}

// MARK: - Text

extension TilePath: CustomStringConvertible {
    /// `tile/0/x001/x234/067`, `tile/entries/000.p/17`.
    package var description: String {
        var groups = [Self.threeDigits(index % 1000)]
        var rest = index / 1000
        while rest > 0 {
            groups.append("x" + Self.threeDigits(rest % 1000))
            rest /= 1000
        }
        let folder = if case .hashes(let level) = content { String(level) } else { "entries" }
        return "tile/\(folder)/" + groups.reversed().joined(separator: "/") + (isFull ? "" : ".p/\(width)")
    }

    private static func threeDigits(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: 3 - digits.count) + digits
    }

    /// The longest path: seven groups of an index of 63 bits.
    private static let maximumBytes = 64

    /// Reads a path without its leading slash; nil for any text that `description` would not have written.
    package init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8.prefix(Self.maximumBytes + 1))
        guard bytes.count <= Self.maximumBytes, let rest = bytes[...].after("tile/") else { return nil }
        var parts = rest.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let content: Content
        if parts[0].elementsEqual("entries".utf8) {
            content = .entries
        } else if let level = parts[0].decimal {
            content = .hashes(level: level)
        } else {
            return nil
        }
        parts.removeFirst()
        var width = Self.fullWidth
        if parts.count > 1, parts[parts.count - 2].suffix(2).elementsEqual(".p".utf8) {
            guard let partial = parts[parts.count - 1].decimal, partial < Self.fullWidth else { return nil }
            width = partial
            parts.removeLast()
            parts[parts.count - 1].removeLast(2)
        }
        guard let index = Self.index(parts) else { return nil }
        self.init(content, index: index, width: width)
    }

    private static func index(_ groups: [ArraySlice<UInt8>]) -> Int? {
        var index = 0
        for (place, group) in groups.enumerated() {
            var digits = group
            if place < groups.count - 1 {
                guard digits.popFirst() == UInt8(ascii: "x") else { return nil }
            }
            guard digits.count == 3 else { return nil }
            for digit in digits {
                guard digit.isDigit else { return nil }
                let (product, overflow) = index.multipliedReportingOverflow(by: 10)
                let (sum, carry) = product.addingReportingOverflow(Int(digit - UInt8(ascii: "0")))
                if overflow || carry { return nil }
                index = sum
            }
            // A first group of zeros before others would be a second way to write the same index.
            if place == 0, groups.count > 1, index == 0 { return nil }
        }
        return groups.isEmpty ? nil : index
    }
}
