import TestAWS
import TestEngines
import Testing

@Suite struct EngineTests {
    @Test("AWS takes part in the contracts", .enabled(if: Emulator.isThere, Comment(rawValue: Emulator.reason)))
    func aws() { #expect(Engine.ofStores.contains(.aws)) }
}
