import Appointments
import Testing

@Suite struct ValueTests {
    @Test(
        "an insured id is five ASCII digits",
        arguments: ["", "1234", "123456", "1234a", "٠٠١٢٣", "00123\n", "0012３", " 0123"])
    func insuredRefused(text: String) { #expect(InsuredID(text) == nil) }

    @Test("an insured id shows its last two digits alone, however it is printed")
    func masked() throws {
        let insured = try #require(InsuredID("00123"))
        #expect("\(insured)" == "***23")
        #expect(String(reflecting: insured) == "***23")
        var dumped = ""
        dump(insured, to: &dumped)
        #expect(!dumped.contains("00123"))
        #expect(insured.digits == "00123")
    }

    @Test("a schedule id is 1 to 2^53 - 1")
    func schedule() {
        #expect(ScheduleID(0) == nil)
        #expect(ScheduleID(1) != nil)
        #expect(ScheduleID(9_007_199_254_740_991) != nil)
        #expect(ScheduleID(9_007_199_254_740_992) == nil)
        #expect(ScheduleID(.min) == nil)
    }

    @Test("one caller's idempotency key always means the same appointment, and nobody else's does")
    func idempotency() {
        let secret = Array(repeating: UInt8(7), count: 32)
        let id = AppointmentID(owner: "key:a", idempotencyKey: "b", secret: secret)
        #expect(id == AppointmentID(owner: "key:a", idempotencyKey: "b", secret: secret))
        #expect(id != AppointmentID(owner: "key:ab", idempotencyKey: "", secret: secret))
        #expect(id != AppointmentID(owner: "key:", idempotencyKey: "ab", secret: secret))
        #expect(id != AppointmentID(owner: "key:a", idempotencyKey: "b", secret: Array(repeating: 8, count: 32)))
        #expect(id.description.dropFirst(14).first == "8")
    }
}
