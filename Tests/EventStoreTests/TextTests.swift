import EventStore
import Testing

/// The small texts of URLs and headers.
@Suite struct TextTests {
    @Test("digits and letters are those of ASCII alone")
    func characters() {
        let digits = Array("0123456789".utf8)
        let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
        for byte in UInt8.min...UInt8.max {
            #expect(byte.isDigit == digits.contains(byte))
            #expect(byte.isLetter == letters.contains(byte))
            let text = byte < 0x80 ? String(decoding: [byte], as: UTF8.self) : ""
            #expect(byte.hexadecimalValue.map(Int.init) == (text == "+" || text == "-" ? nil : Int(text, radix: 16)))
        }
    }

    @Test("what is percent-encoded is read back, whatever it is")
    func percentEncoding() {
        for text in ["", "a b&c=d%", "Ñandú/ç?", "~-._", "日本", "+"] {
            var bytes: [UInt8] = []
            PercentEncoding.append(text, to: &bytes)
            #expect(bytes.allSatisfy { $0.isDigit || $0.isLetter || "-._~%".utf8.contains($0) })
            #expect(PercentEncoding.decode(bytes) == text)
        }
        var kept: [UInt8] = []
        PercentEncoding.append("a/b c", to: &kept, keeping: "/")
        #expect(String(decoding: kept, as: UTF8.self) == "a/b%20c")
    }

    @Test(
        "a broken escape, a control character and bytes that are no UTF-8 are no text",
        arguments: [
            "%", "%4", "%4g", "%%41", "a%0Ab", "%7f", "%ff", "%c3",
        ])
    func broken(text: String) {
        #expect(PercentEncoding.decode(text.utf8) == nil)
    }

    /// RFC 9110 section 5.6.7 has the first of them.
    @Test(
        "the date of a header is written and read as RFC 9110 has it",
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"),
            ("Tue, 24 Nov 2026 17:14:27 GMT", "2026-11-24T17:14:27Z"),
            ("Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00Z"),
            ("Thu, 29 Feb 2024 23:59:59 GMT", "2024-02-29T23:59:59Z"),
        ])
    func date(text: String, moment: String) throws {
        let moment = try #require(Timestamp(moment))
        #expect(moment.httpDate == text)
        #expect(moment.adding(milliseconds: 999).httpDate == text)
        #expect(Timestamp(httpDate: text) == moment)
    }

    @Test(
        "anything else is no date",
        arguments: [
            "", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nom 1994 08:49:37 GMT",
        ])
    func noDate(text: String) {
        #expect(Timestamp(httpDate: text) == nil)
    }
}
