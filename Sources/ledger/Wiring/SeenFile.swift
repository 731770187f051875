import EventStore
import HostSystem

/// The file next to an embedded ledger that remembers which one it is and how far it had come: `ledger.seen`. It stays
/// where it is when the ledger is put back from a backup, and so tells that it was.
struct SeenFile: Sendable {
    let path: String
    private static let maximumBytes = 4096

    init(_ directory: String) { path = directory + "/ledger.seen" }

    /// What is remembered; nil where nothing is.
    ///
    /// - Throws: `invalid` when it holds something else; `unavailable` when it can't be read.
    func read() throws(EventStoreError) -> SeenLedger? {
        guard let bytes = try DurableFile(path).read(limit: Self.maximumBytes) else { return nil }
        guard bytes.count <= Self.maximumBytes, let seen = SeenLedger(json: bytes) else {
            throw EventStoreError(
                .invalid,
                message: """
                    \(path) does not say how far the ledger had come: put back the file that was there. Remove it only \
                    if the ledger was not put back to an older copy
                    """)
        }
        return seen
    }

    /// Remembers something instead of what was remembered; durable once this returns.
    ///
    /// - Throws: `unavailable`; what was remembered stays then.
    func write(_ seen: SeenLedger) throws(EventStoreError) {
        try DurableFile(path).replace(with: seen.json)
    }
}

extension SeenLedger {
    /// As the file has it: one JSON object and a newline.
    fileprivate var json: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("ledger", "\(identity.id)")
            writer.member("epoch", identity.epoch)
            writer.member("first", first)
            writer.member("position", last.position)
            writer.member("leaf", last.leaf)
        }
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    fileprivate init?(json: [UInt8]) {
        guard let value = try? JSONValue(json), let id = value["ledger"]?.text.flatMap({ Identifier($0) }),
            let epoch = value["epoch"]?.whole, epoch >= 1, let position = value["position"]?.whole, position >= 0,
            let first = Self.leaf(value["first"]), let leaf = Self.leaf(value["leaf"])
        else { return nil }
        self.init(
            identity: LedgerIdentity(id: id, epoch: Int(epoch)), first: first,
            last: LogMark(position: Int(position), leaf: leaf))
    }

    /// The leaf that a member writes, or that there is none; nil where it writes something else.
    private static func leaf(_ value: JSONValue?) -> Hash?? {
        switch value {
        case .null: .some(nil)
        case .string(let text): Hash(base64: text).map { .some($0) }
        default: nil
        }
    }
}
