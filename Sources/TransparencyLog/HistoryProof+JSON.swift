import EventStore

extension HistoryProof {
    private static let format = "appointment-ledger/history@v1"

    /// The proof as it is sent and kept. Where the appointment is not in the log, `heads` has its note alone, and
    /// `absent` the neighbours.
    package var bytes: [UInt8] {
        var writer = JSONWriter(reservingCapacity: 4096)
        writer.object {
            $0.member("format", Self.format)
            $0.member("appointmentId", stream.id.description)
            $0.member("checkpoint", String(decoding: checkpoint.bytes, as: UTF8.self))
            $0.member("events") { $0.array { for item in items { item.write(to: &$0) } } }
            $0.member("heads") {
                $0.object {
                    $0.member("note", String(decoding: headsNote.bytes, as: UTF8.self))
                    guard case .present(let head) = head else { return }
                    $0.member("index", head.index)
                    $0.member("proof") { $0.hashes(head.proof) }
                }
            }
            guard case .absent(let neighbours) = head else { return }
            $0.member("absent") { $0.array { for neighbour in neighbours { neighbour.write(to: &$0) } } }
        }
        return writer.bytes
    }

    /// Reads a proof; it is not checked yet. The line of the head is made from the last entry, so it is not in the
    /// file.
    ///
    /// - Throws: `tooLarge`; `malformed` for anything that is not written so, an unknown member too.
    package init(_ bytes: [UInt8]) throws(TransparencyError) {
        guard bytes.count <= Self.maximumBytes else {
            throw TransparencyError(.tooLarge, "a proof of a history has more than \(Self.maximumBytes) bytes")
        }
        let parts: Parts
        do throws(JSONError) {
            parts = try JSONReader.read(bytes, maximumDepth: 8) { reader throws(JSONError) in try Parts(&reader) }
        } catch {
            throw TransparencyError(.malformed, "the file is no proof of a history: \(error)")
        }
        self = try Self.whole(parts)
    }

    private static func whole(_ parts: Parts) throws(TransparencyError) -> HistoryProof {
        let malformed = TransparencyError(
            .malformed, "a proof of a history has format, appointmentId, checkpoint, events, heads, and absent for none"
        )
        guard parts.format == format, let id = parts.id, let checkpoint = parts.checkpoint, let items = parts.items,
            let heads = parts.heads, let note = heads.note
        else { throw malformed }
        let head: HeadAnswer
        switch (heads.index, heads.proof, parts.absent) {
        case (nil, nil, let neighbours?): head = .absent(neighbours)
        case (let index?, let proof?, nil):
            guard let last = items.last, let entry = try? Entry(last.entry) else { throw malformed }
            let made = Head(stream: entry.stream, version: entry.version, leaf: Hash.leaf(of: last.entry))
            head = .present(ProvenHead(index: index, head: made, proof: proof))
        default: throw malformed
        }
        return HistoryProof(
            stream: StreamID(id), checkpoint: try SignedNote(Array(checkpoint.utf8)), items: items,
            headsNote: try SignedNote(Array(note.utf8)), head: head)
    }
}

// MARK: - Writing

extension JSONWriter {
    fileprivate mutating func hashes(_ hashes: [Hash]) { array { for hash in hashes { $0.string(hash.description) } } }
}

extension HistoryProof.Item {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.object {
            $0.member("index", index)
            $0.member("entry") { $0.base64(entry) }
            $0.member("proof") { $0.hashes(proof) }
        }
    }
}

extension ProvenHead {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.object {
            $0.member("index", index)
            $0.member("line", head.line)
            $0.member("proof") { $0.hashes(proof) }
        }
    }
}

// MARK: - Reading

/// The members as they stand in the file; nil for what is not there.
private struct Parts {
    var format: String?
    var id: Identifier?
    var checkpoint: String?
    var items: [HistoryProof.Item]?
    var heads: (note: String?, index: Int?, proof: [Hash]?)?
    var absent: [ProvenHead]?

    init(_ reader: inout JSONReader) throws(JSONError) {
        var parts = self
        try reader.members { name, reader throws(JSONError) in
            switch name {
            case "format": parts.format = try reader.string()
            case "appointmentId": parts.id = try reader.appointmentID()
            case "checkpoint": parts.checkpoint = try reader.string()
            case "events":
                parts.items = try reader.list(limit: HistoryProof.maximumItems) { reader throws(JSONError) in
                    try reader.item()
                }
            case "heads": parts.heads = try reader.heads()
            case "absent":
                parts.absent = try reader.list(limit: 2) { reader throws(JSONError) in try reader.neighbour() }
            default: throw reader.error("an unknown member")
            }
        }
        self = parts
    }
}

extension JSONReader {
    /// Reads an object in which no member appears twice.
    fileprivate mutating func members(
        _ member: (String, inout JSONReader) throws(JSONError) -> Void
    ) throws(JSONError) {
        var seen: Set<String> = []
        try object { name, reader throws(JSONError) in
            guard seen.insert(name).inserted else { throw reader.error("a member appears twice") }
            try member(name, &reader)
        }
    }

    fileprivate mutating func list<Element>(
        limit: Int, _ element: (inout JSONReader) throws(JSONError) -> Element
    ) throws(JSONError) -> [Element] {
        var elements: [Element] = []
        try array { reader throws(JSONError) in
            guard elements.count < limit else { throw reader.error("a list has more than \(limit) elements") }
            elements.append(try element(&reader))
        }
        return elements
    }

    fileprivate mutating func appointmentID() throws(JSONError) -> Identifier {
        guard let id = Identifier(try string()) else { throw error("expected a UUID") }
        return id
    }

    private mutating func index() throws(JSONError) -> Int {
        let value = try integer()
        guard value >= 0 else { throw error("expected a place of 0 or more") }
        return Int(value)
    }

    private mutating func proof() throws(JSONError) -> [Hash] {
        try list(limit: TreeProof.maximumHashes) { reader throws(JSONError) in
            guard let hash = Hash(base64: try reader.string()) else { throw reader.error("expected a hash") }
            return hash
        }
    }

    fileprivate mutating func item() throws(JSONError) -> HistoryProof.Item {
        var parts: (index: Int?, entry: [UInt8]?, proof: [Hash]?)
        try members { name, reader throws(JSONError) in
            switch name {
            case "index": parts.index = try reader.index()
            case "entry":
                guard let entry = Base64.decode(try reader.string()), entry.count <= Entry.maximumBytes else {
                    throw reader.error("expected the bytes of an entry in base64")
                }
                parts.entry = entry
            case "proof": parts.proof = try reader.proof()
            default: throw reader.error("an unknown member")
            }
        }
        guard let index = parts.index, let entry = parts.entry, let proof = parts.proof else {
            throw error("an event lacks its index, entry or proof")
        }
        return HistoryProof.Item(index: index, entry: entry, proof: proof)
    }

    fileprivate mutating func heads() throws(JSONError) -> (note: String?, index: Int?, proof: [Hash]?) {
        var parts: (note: String?, index: Int?, proof: [Hash]?)
        try members { name, reader throws(JSONError) in
            switch name {
            case "note": parts.note = try reader.string()
            case "index": parts.index = try reader.index()
            case "proof": parts.proof = try reader.proof()
            default: throw reader.error("an unknown member")
            }
        }
        return parts
    }

    fileprivate mutating func neighbour() throws(JSONError) -> ProvenHead {
        var parts: (index: Int?, head: Head?, proof: [Hash]?)
        try members { name, reader throws(JSONError) in
            switch name {
            case "index": parts.index = try reader.index()
            case "line": parts.head = Head(line: try reader.string())
            case "proof": parts.proof = try reader.proof()
            default: throw reader.error("an unknown member")
            }
        }
        guard let index = parts.index, let head = parts.head, let proof = parts.proof else {
            throw error("a neighbour lacks its index, line or proof")
        }
        return ProvenHead(index: index, head: head, proof: proof)
    }
}
