import EventStore
import Handlers

/// Reads the framing of a chunked body, so that its end is known to the byte and its chunks can't be hidden from a
/// proxy. What is not data has a limit: sizes, extensions and trailers.
struct ChunkReader {
    private enum Place {
        case size, extensions, sizeLineFeed, data, dataReturn, dataLineFeed, trailer, inTrailer, trailerLineFeed
        case lastLineFeed
    }

    private var place = Place.size
    private var size = 0
    private var digits = 0
    /// How many more bytes there may be that are no data.
    private var left: Int

    init(overheadBytes: Int) { left = overheadBytes }

    /// Reads on: how the head's reader does.
    mutating func read(_ bytes: some Collection<UInt8>) -> HeadReader.Outcome {
        var read = 0
        var rest = bytes[...]
        while let byte = rest.first {
            if place == .data {
                let count = min(size, rest.count)
                (rest, read, size) = (rest.dropFirst(count), read + count, size - count)
                if size == 0 { place = .dataReturn }
                continue
            }
            left -= 1
            if left < 0 { return .malformed("The chunks of a body are too many, or say too much around it") }
            if place == .lastLineFeed, byte == 0x0A { return .ended(read + 1) }
            guard take(byte) else { return .malformed("The chunks of the body are not well formed") }
            rest = rest.dropFirst()
            read += 1
        }
        return .more
    }

    /// Takes one byte that is no data; false when it may not stand there.
    private mutating func take(_ byte: UInt8) -> Bool {
        switch (place, byte) {
        case (.size, 0x0D) where digits > 0, (.extensions, 0x0D): place = .sizeLineFeed
        case (.size, UInt8(ascii: ";")) where digits > 0: place = .extensions
        case (.size, _):
            // Eight digits are more than any body may have.
            guard let digit = byte.hexadecimalValue, digits < 8 else { return false }
            (size, digits) = (size << 4 | Int(digit), digits + 1)
        case (.sizeLineFeed, 0x0A): place = size == 0 ? .trailer : .data
        case (.dataReturn, 0x0D): place = .dataLineFeed
        case (.dataLineFeed, 0x0A): (place, size, digits) = (.size, 0, 0)
        case (.trailer, 0x0D): place = .lastLineFeed
        case (.inTrailer, 0x0D): place = .trailerLineFeed
        case (.trailerLineFeed, 0x0A): place = .trailer
        case (.trailer, 0x21...0x7E): place = .inTrailer
        case (.extensions, 0x20...0x7E), (.extensions, 0x09), (.extensions, 0x80...): break
        case (.inTrailer, 0x20...0x7E), (.inTrailer, 0x09), (.inTrailer, 0x80...): break
        default: return false
        }
        return true
    }
}
