import EventStore
import Projections
import Replay
import TestEngines
import TestPostgres
import TestTrees
import Testing
import TransparencyLog

@Suite("The tree of a mirror is that of its entries, whatever is taken out of it", .dropsDatabases)
struct MirrorTreeContract {
    /// Three appointments of 200 events each, one after the other, in a mirror.
    private func filled(_ engine: MirrorEngine) async throws -> (mirror: AnyMirror, histories: Histories) {
        let (mirror, histories) = (try await engine.makeOwned(), Histories())
        for number in 1...3 { try await histories.append(200, to: number) }
        try await follow(histories, mirror)
        return (mirror, histories)
    }

    private func follow(_ histories: Histories, _ mirror: AnyMirror) async throws {
        let runner = try histories.runner(into: mirror)
        while try await runner.step(now: Samples.noon, limit: 170).events > 0 {}
    }

    private func expectTree(_ mirror: AnyMirror, size: Int) async throws {
        let leaves = try await mirror.events(after: 0, limit: .max).map(\.leaf)
        #expect(leaves.count == size)
        let frontier = try await mirror.frontier()
        #expect(frontier.size == size && frontier.root == NaiveTree.root(leaves[...]))
        let tiles = try await mirror.tiles(after: nil, limit: 100)
        #expect(
            tiles.map(\.root) == (0..<(size / 256)).map { NaiveTree.root(leaves[(256 * $0)..<(256 * $0 + 256)]) })
        let report = try await Verify(
            feed: mirror, scan: mirror, store: mirror, views: mirror, tree: mirror, people: nil, parts: [.log]
        ).run()
        #expect(report.isClean, "\(report.findings)")
    }

    private func places(_ mirror: AnyMirror, _ positions: Range<Int>) async throws -> [MirroredPlace] {
        try await mirror.places(after: positions.lowerBound - 1, limit: positions.count)
    }

    @Test(
        "a mirror that is set back has the tree of what is left, and grows on from there",
        arguments: MirrorEngine.available, [0, 1, 255, 256, 300, 511, 512, 599, 600])
    func rewind(engine: MirrorEngine, position: Int) async throws {
        let (mirror, histories) = try await filled(engine)
        try await expectTree(mirror, size: 600)
        let moved = try await mirror.rewind(to: position, for: nil, expecting: try await mirror.state())
        #expect(moved == 600 - position)
        try await expectTree(mirror, size: position)
        try await histories.append(100, to: 4)
        try await follow(histories, mirror)
        try await expectTree(mirror, size: 700)
    }

    @Test("what is cut off the end is taken out of the tree", arguments: MirrorEngine.available, [256, 500, 599])
    func cut(engine: MirrorEngine, position: Int) async throws {
        let (mirror, _) = try await filled(engine)
        let places = try await places(mirror, (position + 1)..<601)
        #expect(try await mirror.cut(places, expecting: try await mirror.state()))
        try await expectTree(mirror, size: position)
    }

    @Test("an entry that gives way to another has the tree made anew from there", arguments: MirrorEngine.available)
    func mend(engine: MirrorEngine) async throws {
        let (mirror, _) = try await filled(engine)
        let events = try await mirror.events(after: 0, limit: .max)
        // Two entries change their places; each chain keeps its order.
        let (first, second) = (events[200], events[399])
        let swapped = [(201, second), (400, first)].map { position, event in
            RecordedEvent(position: position, entry: event.entry, leaf: event.leaf, sealed: event.sealed)
        }
        let places = try await places(mirror, 201..<202) + places(mirror, 400..<401)
        #expect(try await mirror.mend(swapped, removing: places))
        while try await !mirror.growTree(limit: 64) {
            let frontier = try await mirror.edge().frontier
            #expect(frontier.map { $0.size < 600 } == true)
        }
        try await expectTree(mirror, size: 600)
    }
}
