import EventStore
import Testing

/// A chain of records, against every way to change what was recorded.
@Suite struct RecordChainTests {
    /// Records in memory that anybody may change.
    private struct Records: ChainedRecords {
        var all: [ChainedRecord] = []
        var end = RecordChain("sample")
        var chainName: String { "sample" }

        func chain() async throws(EventStoreError) -> RecordChain { end }

        func records(after number: Int?, limit: Int) async throws(EventStoreError) -> [ChainedRecord] {
            Array(all.filter { $0.number > number ?? 0 }.prefix(limit))
        }

        mutating func record(_ fields: [String?]) {
            all.append(ChainedRecord(number: all.count + 1, fields: fields, hash: end.append(fields)))
        }
    }

    private func records(_ count: Int = 5) -> Records {
        (1...count).reduce(into: Records()) { $0.record(["key:a", "\($1)", nil]) }
    }

    @Test("a chain that nobody touched holds, page by page, and so does an empty one")
    func whole() async throws {
        for batch in 1...6 { #expect(try await records().firstBreak(batch: batch) == nil) }
        #expect(try await Records().firstBreak() == nil)
    }

    @Test("a record that was changed is the first break", arguments: [[], ["key:b", "3", nil], ["key:a", "3", ""]])
    func changed(fields: [String?]) async throws {
        var records = records()
        records.all[2] = ChainedRecord(number: 3, fields: fields, hash: records.all[2].hash)
        #expect(try await records.firstBreak(batch: 2) == .record(number: 3))
    }

    @Test("a record whose hash is missing, or belongs to another, is the first break")
    func hash() async throws {
        for hash in [nil, records().all[0].hash] {
            var records = records()
            records.all[2] = ChainedRecord(number: 3, fields: records.all[2].fields, hash: hash)
            #expect(try await records.firstBreak() == .record(number: 3))
        }
    }

    @Test("a record that was taken out breaks the one behind it; the last ones are missed at the end")
    func takenOut() async throws {
        var inside = records()
        inside.all.remove(at: 2)
        #expect(try await inside.firstBreak() == .record(number: 4))
        var last = records()
        last.all.removeLast(2)
        #expect(try await last.firstBreak() == .end(count: 3, wanted: 5))
        last.all = []
        #expect(try await last.firstBreak() == .end(count: 0, wanted: 5))
    }

    @Test("a record behind the end is a break, whether or not its hash is right")
    func putIn() async throws {
        var records = records()
        var chain = records.end
        let fields = ["key:b", "6", nil]
        records.all.append(ChainedRecord(number: 9, fields: fields, hash: chain.append(fields)))
        #expect(try await records.firstBreak(batch: 2) == .end(count: 6, wanted: 5))
        records.all[5] = ChainedRecord(number: 9, fields: fields, hash: nil)
        #expect(try await records.firstBreak() == .record(number: 9))
    }

    @Test("a chain that was computed anew does not end where the store has been")
    func computedAnew() async throws {
        var forged = (1...5).reduce(into: Records()) { $0.record(["key:b", "\($1)", nil]) }
        forged.end = records().end
        #expect(try await forged.firstBreak() == .end(count: 5, wanted: 5))
    }

    @Test("fields that read alike in a row have other hashes: where each ends is hashed along")
    func boundaries() {
        func hash(_ fields: [String?]) -> Hash {
            var chain = RecordChain("sample")
            return chain.append(fields)
        }
        let rows: [[String?]] = [
            ["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["abc", nil], ["abc", "~,"], ["2:ab,1:c"], [],
        ]
        #expect(Set(rows.map(hash)).count == rows.count)
        var other = RecordChain("another")
        #expect(other.append(["abc"]) != hash(["abc"]))
    }

    @Test("a chain's hash is what SQL computes of the same fields")
    func published() {
        // printf '%s' sample | sha256sum, then of those 32 bytes and `5:key:a,1:1,~,`.
        var chain = RecordChain("sample")
        #expect(chain.end == Hash(of: Array("sample".utf8)))
        let first = Hash(of: chain.end.bytes + Array("5:key:a,1:1,~,".utf8))
        #expect(chain.append(["key:a", "1", nil]) == first)
        #expect(chain.count == 1)
    }
}
