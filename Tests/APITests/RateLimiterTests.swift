import Testing

@testable import API

@Suite struct RateLimiterTests {
    @Test("a full table drops the fullest limits, and nobody who has used up theirs gets rid of it")
    func full() {
        let limiter = RateLimiter(RateLimit(perSecond: 0.001, burst: 3), capacity: 64)
        for _ in 0..<3 { #expect(limiter.take("busy", now: .zero) == nil) }
        for stranger in 0..<10_000 {
            #expect(limiter.take("stranger \(stranger)", now: .milliseconds(stranger)) == nil)
        }
        #expect(limiter.take("busy", now: .seconds(10)) != nil)
    }

    @Test("a clock that stands or goes back gives and takes nothing")
    func clock() {
        let limiter = RateLimiter(RateLimit(perSecond: 1, burst: 2))
        #expect(limiter.take("a", now: .seconds(10)) == nil)
        #expect(limiter.take("a", now: .seconds(5)) == nil)
        #expect(limiter.take("a", now: .seconds(5)) == 1)
        #expect(limiter.take("a", now: .seconds(6)) == nil)
        limiter.giveBack("a")
        #expect(limiter.take("a", now: .seconds(6)) == nil)
        #expect(limiter.take("a", now: .seconds(6)) == 1)
    }
}
