/// Where a JSON value stands in some bytes, which were checked: a string with its quotes.
package struct JSONPlace: Hashable, Sendable {
    private let start: UInt32
    private let end: UInt32

    /// Where nothing stands.
    init() { (start, end) = (0, 0) }

    init(_ start: Int, _ end: Int) { (self.start, self.end) = (UInt32(start), UInt32(end)) }

    package var count: Int { Int(end - start) }

    /// The value as it is written.
    package func bytes(in bytes: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: bytes[Int(start)..<Int(end)])
    }

    /// The string that stands here.
    package func text(in bytes: UnsafeBufferPointer<UInt8>) -> String {
        guard count >= 2 else { return "" }
        let content = content(in: bytes)
        if !content.contains(UInt8(ascii: "\\")) { return String(decoding: content, as: UTF8.self) }
        var reader = JSONReader(self.bytes(in: bytes))
        do throws(JSONError) {
            return try reader.string()
        } catch {
            preconditionFailure("a string that was checked reads: \(error)")
        }
    }

    /// Whether the string that stands here is another, byte for byte.
    package func holds(_ other: UnsafeRawBufferPointer, in bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard count >= 2 else { return other.isEmpty }
        let content = content(in: bytes)
        if content.contains(UInt8(ascii: "\\")) { return text(in: bytes).utf8.elementsEqual(other) }
        guard content.count == other.count else { return false }
        for index in 0..<content.count where content[index] != other[index] { return false }
        return true
    }

    private func content(in bytes: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: bytes[Int(start) + 1..<Int(end) - 1])
    }
}
