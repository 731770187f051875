/// Why some bytes are not the JSON that was asked for.
package struct JSONError: Error, Equatable {
    /// What is wrong, as a lowercase sentence without the offending value.
    package let message: String
    /// The byte at which it was noticed.
    package let offset: Int
    /// The key that appears twice, where that is what is wrong; cut to 64 bytes.
    package var duplicateKey: String?

    package init(_ message: String, at offset: Int, duplicateKey: String? = nil) {
        (self.message, self.offset, self.duplicateKey) = (message, offset, duplicateKey)
    }
}

extension JSONError: CustomStringConvertible {
    package var description: String { "\(message) (at byte \(offset))" }
}
