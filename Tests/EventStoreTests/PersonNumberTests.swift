import EventStore
import Testing

/// What is taken for an insured person's number in a text.
@Suite struct PersonNumberTests {
    @Test(
        "a run of exactly five digits is found wherever it stands",
        arguments: [
            "70123", "dni-70123", "dni70123", "70123x", "a.70123.b", "_70123_", "x 70123", "ñ70123ñ", "1234-70123",
            "123456-70123", "00000", "req-70123-01a20eb6-7f19-7b9d-981d-8314088a3df2", "abcdef70123",
            "01a20eb6-7f19-7b9d-981d-70123", "7012370123x70123",
        ])
    func found(text: String) { #expect(PersonNumbers.isFound(in: text)) }

    @Test(
        "four or six digits in a row, other scripts' digits and no digits are no number of a person",
        arguments: ["", "a", "7012", "701234", "7012-3", "70.123", "７０１２３", "٧٠١٢٣", "2026-11-24T07:10:53.123Z"])
    func notFound(text: String) { #expect(!PersonNumbers.isFound(in: text)) }

    @Test(
        "what was made at random is passed over, also where five digits stand in a row by chance",
        arguments: [
            "a12345bc-7f19-7b9d-981d-8314088a3df2", "A12345BC-7F19-7B9D-981D-8314088A3DF2",
            "01a20eb6-7f19-7b9d-981d-83a70123bdf2", "req-a12345bc-7f19-7b9d-981d-8314088a3df2.2",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e70123a",
            "00f067aa0b70123c", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFF70123FAV",
        ])
    func random(text: String) { #expect(!PersonNumbers.isFound(in: text)) }

    @Test("no identifier of ours is ever taken for a person's number")
    func ours() {
        for _ in 0..<5000 {
            let id = Identifier.random()
            #expect(!PersonNumbers.isFound(in: id.description))
            #expect(PersonNumbers.masked(id.description) == id.description)
            #expect(!PersonNumbers.isFound(in: id.description.filter { $0 != "-" }))
        }
    }

    @Test(
        "a masked text has the last two digits of each run of five or more",
        arguments: [
            ("the value '73917' is invalid", "the value '***17' is invalid"), ("70123x", "***23x"),
            ("701234 and 70125", "***34 and ***25"), ("1234", "1234"), ("", ""), ("5198765432112345", "***45"),
            ("dni:70123,a12345bc-7f19-7b9d-981d-8314088a3df2", "dni:***23,a12345bc-7f19-7b9d-981d-8314088a3df2"),
        ])
    func masked(text: String, expected: String) { #expect(PersonNumbers.masked(text) == expected) }

    @Test("of what was given alone is masked what was given")
    func maskedAsGiven() {
        let text = "'70123' is none: take 1 to 10000, or 701234"
        #expect(PersonNumbers.masked(text, asIn: ["--insured=70123"]) == "'***23' is none: take 1 to 10000, or 701234")
        #expect(PersonNumbers.masked(text, asIn: []) == text)
    }
}
