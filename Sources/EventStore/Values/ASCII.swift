/// The characters of ASCII, as the bytes that they are.
extension UInt8 {
    /// Whether it is one of `0` to `9`.
    package var isDigit: Bool { (0x30...0x39).contains(self) }

    /// Whether it is a letter of ASCII, small or capital.
    package var isLetter: Bool { (0x61...0x7A).contains(self | 0x20) }

    /// What it counts for in a number to the base of 16; nil when it is no digit of one.
    package var hexadecimalValue: UInt8? {
        if isDigit { return self - 0x30 }
        let small = self | 0x20
        return (0x61...0x66).contains(small) ? small - 0x57 : nil
    }
}
