import EventStore
import Testing

@Suite struct EntryTests {
    private let stream = StreamID(Identifier(high: 0x01A2_0EB6_7F19_7B9D, low: 0x981D_8314_088A_3DF2))

    private func event(data: String = #"{"scheduleId":100}"#, personal: [SealedField] = []) -> NewEvent {
        NewEvent(
            type: "requested", schema: 1, id: Identifier(high: 1, low: 2),
            at: Timestamp(milliseconds: 1_795_504_253_123),
            country: "PE", actor: "key:front-desk", correlation: "visit-7", causation: nil, data: Array(data.utf8),
            personal: personal)
    }

    @Test("an entry is written with its keys in their order, byte for byte")
    func bytes() throws {
        let entry = try Entry(event(), stream: stream, version: 1, previous: nil)
        #expect(
            String(decoding: entry.bytes, as: UTF8.self)
                == #"""
                {"type":"requested","schema":1,"stream":"appointment-01a20eb6-7f19-7b9d-981d-8314088a3df2",\#
                "version":1,"previous":null,"id":"00000000-0000-0001-0000-000000000002",\#
                "at":"2026-11-24T07:10:53.123Z","country":"PE","actor":"key:front-desk","correlation":"visit-7",\#
                "causation":null,"data":{"scheduleId":100},"personal":{}}
                """#
        )
    }

    @Test("an entry reads as what was written, with keys that this program does not know passed over")
    func reads() throws {
        let entry = try Entry(event(), stream: stream, version: 2, previous: Hash(of: [1]))
        let text = String(decoding: entry.bytes, as: UTF8.self)
        let more = text.dropLast() + #","annulled":{"by":[1,"x"]}}"#
        let read = try Entry(Array(more.utf8))
        #expect((read.type, read.schema, read.stream, read.version) == ("requested", 1, stream, 2))
        #expect(read.previous == Hash(of: [1]))
        #expect((read.actor, read.correlation, read.country) == ("key:front-desk", "visit-7", "PE"))
        #expect(read.data == Array(#"{"scheduleId":100}"#.utf8))
    }

    @Test("keys in another order, spaces and escapes read as the same entry")
    func otherShapes() throws {
        let entry = try Entry(
            event(data: #"{"a":"\u00e9","b":[1,"x"]}"#), stream: stream, version: 2, previous: Hash(of: [1]))
        let text = String(decoding: entry.bytes, as: UTF8.self)
        let first = #"{"type":"requested","schema":1,"#
        let shapes = [
            "{" + text.dropFirst(first.utf8.count).dropLast() + #","schema":1,"type":"requested"}"#,
            text.replacing(#","schema":"#, with: #" , "schema" : "#),
            text.replacing(#""actor""#, with: #""\u0061ctor""#), text.replacing(#"visit-7"#, with: #"visit\u002d7"#),
        ]
        for shape in shapes {
            let read = try Entry(Array(shape.utf8))
            #expect((read.type, read.schema, read.stream, read.version) == ("requested", 1, stream, 2), "\(shape)")
            #expect((read.actor, read.correlation, read.at) == (entry.actor, entry.correlation, entry.at), "\(shape)")
            #expect(read.data == entry.data && read.previous == entry.previous && read.personal == entry.personal)
        }
        for damaged in [text.replacing(#","country":"PE""#, with: ""), text + "x", String(text.dropLast())] {
            #expect(throws: JSONError.self) { try Entry(Array(damaged.utf8)) }
        }
    }

    @Test("an entry has at most 60 KiB")
    func limit() throws {
        let empty = try Entry(event(data: #"{"a":""}"#), stream: stream, version: 1, previous: nil).bytes.count
        let room = Entry.maximumBytes - empty
        let full = event(data: #"{"a":"\#(String(repeating: "x", count: room))"}"#)
        #expect(try Entry(full, stream: stream, version: 1, previous: nil).bytes.count == Entry.maximumBytes)
        let over = event(data: #"{"a":"\#(String(repeating: "x", count: room + 1))"}"#)
        let error = #expect(throws: EventStoreError.self) {
            try Entry(over, stream: stream, version: 1, previous: nil)
        }
        #expect(error?.code == .tooLarge)
    }

    @Test("bytes that are no entry are refused, and never stop the program")
    func garbage() throws {
        let entry = try Entry(event(), stream: stream, version: 1, previous: nil).bytes
        for place in entry.indices {
            var mutant = entry
            mutant[place] = UInt8.random(in: 0...255)
            if let read = try? Entry(mutant) { try expectWritable(read) }
            #expect(throws: JSONError.self) { try Entry(Array(entry[..<place])) }
        }
        let text = String(decoding: entry, as: UTF8.self)
        for version in ["0", "-1", "9223372036854775808", "1.0", "\"1\""] {
            let changed = text.split(separator: #""version":1"#).joined(separator: #""version":\#(version)"#)
            #expect(throws: JSONError.self) { try Entry(Array(changed.utf8)) }
        }
    }

    /// What was read is an entry: written anew it says the same.
    private func expectWritable(_ read: Entry) throws {
        let event = NewEvent(
            type: read.type, schema: read.schema, id: read.id, at: read.at, country: read.country, actor: read.actor,
            correlation: read.correlation, causation: read.causation, data: read.data)
        let again = try Entry(event, stream: read.stream, version: read.version, previous: read.previous)
        let text = String(decoding: read.bytes, as: UTF8.self)
        #expect((again.type, again.schema, again.id, again.at) == (read.type, read.schema, read.id, read.at), "\(text)")
        #expect((again.country, again.actor, again.correlation) == (read.country, read.actor, read.correlation))
        #expect((again.stream, again.version) == (read.stream, read.version), "\(text)")
        #expect(again.causation == read.causation && again.previous == read.previous && again.data == read.data)
    }

    @Test("a stored event must hash to its leaf and stand in its own place")
    func recorded() throws {
        let entry = try Entry(event(), stream: stream, version: 1, previous: nil)
        let leaf = Hash.leaf(of: entry.bytes)
        let other = StreamID(Identifier(high: 5, low: 6))
        #expect(throws: Never.self) {
            try RecordedEvent(position: 1, stream: stream, version: 1, entry: entry.bytes, leaf: leaf, sealed: [:])
        }
        for (stream, version, leaf) in [(other, 1, leaf), (stream, 2, leaf), (stream, 1, Hash(of: []))] {
            let error = #expect(throws: EventStoreError.self) {
                try RecordedEvent(
                    position: 1, stream: stream, version: version, entry: entry.bytes, leaf: leaf, sealed: [:])
            }
            #expect(error?.code == .corrupt)
        }
    }
}

@Suite struct SealedFieldTests {
    private let stream = StreamID(Identifier(high: 1, low: 2))
    private let key = SubjectKey(subject: Identifier(high: 3, low: 4), number: 1, bytes: Array(repeating: 9, count: 32))

    private func seal(_ clear: String, nonce: UInt8 = 1) throws -> SealedField {
        try SealedField(
            clear, field: "insured", key: key, stream: stream, version: 1, type: "requested",
            nonce: Array(repeating: nonce, count: 12))
    }

    @Test("a sealed value opens with its key in its place, and nowhere else")
    func opens() throws {
        let sealed = try seal("00123").sealed
        func open(_ key: SubjectKey, _ stream: StreamID, _ version: Int, _ type: String, _ field: String) -> String? {
            try? SealedField.open(sealed, field: field, key: key, stream: stream, version: version, type: type)
        }
        let other = SubjectKey(subject: key.subject, number: 1, bytes: Array(repeating: 8, count: 32))
        #expect(open(key, stream, 1, "requested", "insured") == "00123")
        #expect(open(other, stream, 1, "requested", "insured") == nil)
        #expect(open(key, StreamID(Identifier(high: 1, low: 3)), 1, "requested", "insured") == nil)
        #expect(open(key, stream, 2, "requested", "insured") == nil)
        #expect(open(key, stream, 1, "routed", "insured") == nil)
        #expect(open(key, stream, 1, "requested", "phone") == nil)
    }

    @Test("a changed byte does not open, wherever it is")
    func tampered() throws {
        let sealed = try seal("00123").sealed
        for place in sealed.indices {
            var mutant = sealed
            mutant[place] ^= 1
            #expect(throws: EventStoreError.self) {
                try SealedField.open(mutant, field: "insured", key: key, stream: stream, version: 1, type: "requested")
            }
        }
        #expect(throws: EventStoreError.self) {
            try SealedField.open([], field: "insured", key: key, stream: stream, version: 1, type: "requested")
        }
    }

    @Test("the sealed bytes of short values have one length, and their digest stands in the reference")
    func padding() throws {
        let lengths = Set(try ["", "1", "00123", String(repeating: "x", count: 31)].map { try seal($0).sealed.count })
        #expect(lengths.count == 1)
        let field = try seal("00123")
        #expect(field.reference.sha256 == Hash(of: field.sealed))
        #expect(throws: EventStoreError.self) { try seal(String(repeating: "x", count: 256)) }
    }

    @Test("a person's key opens with the ring that wrapped it, and with no other")
    func ring() throws {
        let ring = try KeyRing(master: Array(repeating: 1, count: 32))
        let person = PersonName(country: "PE", insured: "00123")
        let subject = try ring.newSubject(
            person, id: key.subject, key: Array(repeating: 5, count: 32), nonce: Array(repeating: 6, count: 12))
        #expect(try ring.key(of: subject).bytes == Array(repeating: 5, count: 32))
        let other = try KeyRing(master: Array(repeating: 2, count: 32))
        let error = #expect(throws: EventStoreError.self) { try other.key(of: subject) }
        #expect(error?.code == .corrupt)
        #expect(throws: EventStoreError.self) { try KeyRing(master: Array(repeating: 1, count: 31)) }
        #expect(ring.secret(for: "cursor") != ring.secret(for: "idempotency"))
    }
}
