import EventStore
import Testing
import TransparencyLog

/// Addresses of tiles, tiles and bundles.
@Suite struct TileTests {
    @Test(
        "an address is written and read as C2SP tlog-tiles writes it",
        arguments: [
            ("tile/0/000", 0, 0, 256), ("tile/0/x001/x234/067", 0, 1_234_067, 256), ("tile/63/999.p/1", 63, 999, 1),
            ("tile/2/x001/000.p/255", 2, 1000, 255), ("tile/entries/x001/x234/067.p/17", -1, 1_234_067, 17),
            ("tile/entries/000", -1, 0, 256),
        ])
    func text(text: String, level: Int, index: Int, width: Int) throws {
        let content = level < 0 ? TilePath.Content.entries : .hashes(level: level)
        let path = try #require(TilePath(content, index: index, width: width))
        #expect(path.description == text)
        #expect(TilePath(text) == path)
    }

    @Test(
        "an address that is not written canonically is refused",
        arguments: [
            "", "tile", "tile/", "tile/0", "tile/0/", "/tile/0/000", "tile/0/000/", "tile/00/000", "tile/64/000",
            "tile/-1/000", "tile/+1/000", "tile/x/000", "tile/entry/000", "tile/8/0/000", "tile/0/0", "tile/0/00",
            "tile/0/0000", "tile/0/x000", "tile/0/x001/x234", "tile/0/001/234", "tile/0/x001/234/067",
            "tile/0/x000/067", "tile/0/x000/x001/067", "tile/0/X001/067", "tile/0/x1/067", "tile/0/x001//067",
            "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/257", "tile/0/000.p/00", "tile/0/000.p/01",
            "tile/0/000.p/-1", "tile/0/000.p/", "tile/0/000.p", "tile/0/.p/1", "tile/0/000.p/1/2", "tile/0/000.p/1 ",
            "tile/0/000.P/1", "tile/0/x001.p/1", "tile/entries/x001/x234.p/1", "tile/0/٠٠٠",
            "tile/0/x009/x223/x372/x036/x854/x775/807", "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999", "tile/0/000\u{0}", "tile/0/000\n",
        ])
    func refused(text: String) { #expect(TilePath(text) == nil) }

    @Test("every address of a random tile comes back, and no flipped bit gives the same one")
    func random() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("TileTests.random: seed \(seed)")
        var random = SeededRandom(seed)
        for _ in 0..<500 {
            let index = Int(random.next() >> UInt64.random(in: 10...63, using: &random))
            let content: TilePath.Content =
                Bool.random(using: &random) ? .entries : .hashes(level: Int.random(in: 0...63, using: &random))
            let path = try #require(TilePath(content, index: index, width: Int.random(in: 1...256, using: &random)))
            #expect(TilePath(path.description) == path, "seed \(seed)")
            for bytes in flips(of: Array(path.description.utf8)) {
                guard let text = String(validating: bytes, as: UTF8.self), let read = TilePath(text) else { continue }
                #expect(read != path && read.description == text, "seed \(seed)")
            }
        }
    }

    @Test("parts that no tile has are refused")
    func parts() {
        #expect(TilePath(.hashes(level: 64), index: 0) == nil && TilePath(.hashes(level: -1), index: 0) == nil)
        #expect(TilePath(.entries, index: -1) == nil && TilePath(.entries, index: Int.max) == nil)
        #expect(TilePath(.entries, index: 0, width: 0) == nil && TilePath(.entries, index: 0, width: 257) == nil)
    }

    @Test(
        "a tree covers its complete tiles, and its last ones as far as they go",
        arguments: [
            (0, 0, 0, nil), (1, 0, 0, 1), (255, 0, 0, 255), (256, 0, 0, 256), (256, 0, 1, nil), (257, 0, 1, 1),
            (256, 1, 0, 1), (255, 1, 0, nil), (65535, 1, 0, 255), (65536, 1, 0, 256), (65536, 2, 0, 1),
            (70000, 3, 0, nil),
            (Int.max, 7, 0, 127), (Int.max, 8, 0, nil), (Int.max, 63, 0, nil), (5, 0, -1, nil),
        ] as [(Int, Int, Int, Int?)])
    func coverage(size: Int, level: Int, index: Int, width: Int?) {
        let tile = TilePath.tile(level: level, index: index, ofSize: size)
        #expect(tile?.width == width)
        for other in 1...256 {
            guard let path = TilePath(.hashes(level: level), index: index, width: other) else { continue }
            // A complete tile takes the place of its partial ones.
            let isThere = width.map { $0 == 256 ? true : other <= $0 } ?? false
            #expect(path.isCovered(bySize: size) == isThere, "width \(other)")
        }
        if level == 0 { #expect(TilePath.bundle(index: index, ofSize: size)?.width == width) }
    }

    @Test("a bundle comes back, and one that is cut, lengthened or of another count is refused")
    func bundles() throws {
        let entries: [[UInt8]] = [[], [1], Array(repeating: 7, count: 65535), Array("entry".utf8)]
        let bytes = try EntryBundle.encode(entries)
        #expect(Array(bytes.prefix(5)) == [0, 0, 0, 1, 1])
        #expect(try EntryBundle.decode(bytes, count: 4) == entries)
        for count in [0, 3, 5, 256] {
            #expect(throws: TransparencyError.self) { try EntryBundle.decode(bytes, count: count) }
        }
        for cut in [1, 2, 3, bytes.count - 6] {
            #expect(throws: TransparencyError.self) { try EntryBundle.decode(bytes.dropLast(cut), count: 4) }
        }
        #expect(throws: TransparencyError.self) { try EntryBundle.decode(bytes + [0], count: 4) }
        #expect(throws: TransparencyError.self) { try EntryBundle.encode([Array(repeating: 7, count: 65536)]) }
        #expect(throws: TransparencyError.self) { try EntryBundle.encode(Array(repeating: [], count: 257)) }
    }

    @Test("a tile has 32 bytes a hash")
    func tiles() {
        let hashes = leaves(3)
        let bytes = Tile.encode(hashes)
        #expect(bytes.count == 96 && Tile.decode(bytes, count: 3) == hashes)
        #expect(Tile.decode(bytes, count: 2) == nil && Tile.decode(bytes.dropLast(), count: 3) == nil)
        #expect(
            Tile.decode([], count: -1) == nil && Tile.decode(Array(repeating: 0, count: 257 * 32), count: 257) == nil)
    }
}
